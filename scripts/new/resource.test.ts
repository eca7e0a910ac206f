import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UsageError } from '@quoin/db/command';
import { describe, expect, test } from 'vitest';
import { parseResource, resourceFiles } from './resource.ts';

const formatted = (path: string, text: string) =>
  execFileSync('node_modules/.bin/biome', ['check', '--write', `--stdin-file-path=${path}`], {
    input: text,
    encoding: 'utf8',
  });

/** Returns the code without comments and texts. */
const code = (text: string) =>
  text
    .replace(/^ *\/\/.*\n/gm, '')
    .replace(/\/\*\*[\s\S]*?\*\//g, '/** */')
    .replace(/\b(description|summary|comment)\b(: |\()'(?:[^'\\]|\\.)*'/g, "$1$2'…'")
    .replace(/examples: \[[^\]]*\]/g, 'examples: […]')
    .replace(/\s+/g, ' ')
    // The length of a text affects line breaks and commas.
    .replace(/,(?= [)\]}])/g, '')
    .replace(/([([]) | (?=[)\]])/g, '$1');

/** Lines that only tasks contain: add what a product changes in them. */
const ownToTasks = /^ *indexes: \[\n(.*\n)*? *\],\n/m;

describe('templates', () => {
  const tasks = resourceFiles(parseResource(['tasks', 'title:string', 'description:text?', 'is_completed:boolean']));

  test.each([...tasks].filter(([path]) => !path.endsWith('.test.ts')))('produce the code of %s', (path, text) => {
    expect(code(formatted(path, text))).toBe(code(readFileSync(path, 'utf8').replace(ownToTasks, '')));
  });
});

describe('arguments', () => {
  test.each([
    [['meeting-notes', 'title:string'], 'packages/db/src/schema/meeting-note.ts'],
    [['categories', 'title:string'], 'packages/db/src/schema/category.ts'],
    [['boxes', 'title:string'], 'packages/db/src/schema/box.ts'],
  ])('parseResource reads %j, for the file %s', (texts, file) => {
    expect([...resourceFiles(parseResource(texts)).keys()]).toContain(file);
  });

  test.each([
    [[], 'in the plural'],
    [['Notes', 'title:string'], 'in lower case'],
    [['../notes', 'title:string'], 'in lower case'],
    [['sheep', 'title:string'], 'add --singular'],
    [['notes'], 'fields are missing'],
    [['notes', 'title'], 'name:type'],
    [['notes', 'title:varchar'], 'the type must be string, text'],
    [['notes', "title:string'"], 'name:type'],
    [['notes', 'Title:string'], 'name:type'],
    [['notes', 'user_id:string'], 'cannot be called user_id'],
    [['notes', 'class:string'], 'cannot be called class'],
    [['notes', 'a:string', 'a:text'], 'a appears twice'],
    [['notes', 'pinned:boolean'], 'at least one field must be required'],
    [['notes', ...Array.from({ length: 41 }, (_, n) => `f${n}:string`)], 'at most 40'],
  ])('parseResource rejects %j with a message', (texts, sentence) => {
    expect(() => parseResource(texts)).toThrow(UsageError);
    expect(() => parseResource(texts)).toThrow(sentence);
  });

  test('parseResource accepts an explicit singular', () => {
    const files = resourceFiles(parseResource(['sheep', 'name:string'], { singular: 'one-sheep' }));
    expect([...files.keys()]).toContain('packages/db/src/schema/one-sheep.ts');
  });
});
