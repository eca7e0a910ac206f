import { expect, test } from 'vitest';
import { hasTooManyValues, inspectJson } from './json.ts';

const nest = (levels: number): unknown => (levels === 0 ? 1 : { a: nest(levels - 1) });

test.each<[string, unknown, number]>([
  ['an object', { a: 1, b: [true, null, 'x', {}] }, 7],
  ['a vector, which is one value', { embedding: Array(768).fill(0.5) }, 2],
  ['bytes, which hold no JSON', Buffer.alloc(100_000), 1],
  ['nesting of 64 levels', nest(64), 65],
])('inspectJson accepts %s', (_, value, nodes) => {
  expect(inspectJson(value)).toEqual({ nodes });
});

test.each<[string, unknown, string, string]>([
  ['a NUL character', { a: [{ 'b/c~': 'x\0' }] }, '/a/0/b~1c~0', 'contains characters that cannot be stored'],
  ['half of a surrogate pair', ['\ud800'], '/0', 'contains characters that cannot be stored'],
  ['a name with a NUL character', { a: { 'x\0': 1 } }, '/a', 'has a name with characters that cannot be stored'],
  ['a number beyond a double', { a: [1, Number.POSITIVE_INFINITY] }, '/a/1', 'is too large a number'],
  ['65 levels', nest(65), '', 'is nested deeper than 64 levels'],
])('inspectJson finds %s', (_, value, pointer, message) => {
  expect(inspectJson(value).fault).toEqual({ pointer, message });
});

test('inspectJson visits at most 10,001 of a million values', () => {
  const values = Array(1_000_000).fill('x');
  expect(inspectJson({ values })).toEqual({
    nodes: 10_001,
    fault: { pointer: '', message: 'has more than 10000 values' },
  });
});

test.each<[string, unknown, boolean]>([
  ['10,000 values', Array(9_999).fill('a "quoted" \\ text: [x], {y}'), false],
  ['10,001 values', Array(10_000).fill({}), true],
  ['500 vectors', Array(500).fill(Array(768).fill(-0.25)), false],
  ['two million numbers', Array(2_000_000).fill(1), true],
  ['100,000 numbers with names', Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`n${n}`, 1])), true],
  ['names, which are no values', Object.fromEntries(Array.from({ length: 6_000 }, (_, n) => [`n${n}`, 'x'])), false],
])('hasTooManyValues counts %s', (_, value, isTooMuch) => {
  expect(hasTooManyValues(Buffer.from(JSON.stringify(value)))).toBe(isTooMuch);
});
