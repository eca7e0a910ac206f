import { expect, test } from 'vitest';
import { isEmail, normalizeEmail } from './email.ts';

test.each([
  ['Ada@Example.COM', 'ada@example.com'],
  [' ada@example.com ', 'ada@example.com'],
  ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
  ['ada@XN--BCHER-KVA.example', 'ada@xn--bcher-kva.example'],
  ['ada@ＥＸＡＭＰＬＥ.com', 'ada@example.com'],
  ['jürgen@bücher.example', 'jürgen@xn--bcher-kva.example'],
])('normalizeEmail maps %s and %s to the same address', (one, other) => {
  expect(normalizeEmail(one)).toBe(other);
  expect(isEmail(one)).toBe(true);
});

test.each([
  'ada@',
  '@example.com',
  'ada@example',
  'ada@-example.com',
  'ada@exa mple.com',
  'ada@\u200b.com',
  `${'x'.repeat(65)}@example.com`,
])('isEmail rejects %j', (text) => {
  expect(isEmail(text)).toBe(false);
});
