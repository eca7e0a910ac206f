import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UsageError } from '@quoin/db/command';
import { describe, expect, test } from 'vitest';
import { parseResource } from './parse-resource.ts';
import { resourceFiles } from './resource-files.ts';

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

  test.each([
    [['notes', 'a:string', 'task:ref(nothings)'], {}, 'there is no resource nothings'],
    [['notes', 'a:string', 'task:parent(tasks)?'], {}, 'cannot be optional'],
    [['notes', 'a:string', 'task:parent(tasks)', 'other:parent(tasks)'], {}, 'at most one parent'],
    [['notes', 'a:string', 'task:parent(tasks)', 'task:ref(tasks)'], {}, 'task_id appears twice'],
    [['notes', 'a:string', 'task:parent(tasks)'], { 'owned-by': 'organization' }, 'tasks belong to user'],
    [['notes', 'a:string', 'task:ref(tasks)'], { 'owned-by': 'organization' }, 'belong to another kind of owner'],
    [['notes', 'a:string', 'task:parent(tasks)'], { 'public-read': true }, 'tasks are not public'],
    [['notes', 'a:string', 'task:parent(tasks)'], { 'read-by-members': true }, 'tasks are not read by members'],
    [['notes', 'a:string'], { 'owned-by': 'nobody', 'read-by-members': true }, 'needs --owned-by'],
    [['notes', 'a:string'], { 'admin-write': true }, 'needs --owned-by'],
    [['notes', 'a:string'], { filter: 'b' }, '--filter: there is no field b'],
    [['notes', 'a:string', 'b:json'], { filter: 'b' }, 'cannot be filtered'],
    [['notes', 'a:string', 'b:json'], { sort: 'b' }, 'cannot be sorted'],
    [['notes', 'a:integer'], { searchable: true }, 'needs a string or a text'],
    [['notes', 'a:integer', 'b:string?'], { embedded: true }, 'needs a required string or text'],
    [['notes', 'a:string', 'task:parent(tasks)'], { embedded: true }, 'without a parent'],
  ] as [string[], object, string][])('parseResource rejects %j with the options %j', (texts, options, sentence) => {
    expect(() => parseResource(texts, options)).toThrow(UsageError);
    expect(() => parseResource(texts, options)).toThrow(sentence);
  });

  test('parseResource rejects a name that PostgreSQL would cut', () => {
    const name = 'a-very-long-name-of-forty-characters-xx'.concat('s');
    expect(() => parseResource([name, `${'a'.repeat(30)}:string`])).toThrow('too long for a table of this name');
  });

  test('parseResource accepts an explicit singular', () => {
    const files = resourceFiles(parseResource(['sheep', 'name:string'], { singular: 'one-sheep' }));
    expect([...files.keys()]).toContain('packages/db/src/schema/one-sheep.ts');
  });
});
