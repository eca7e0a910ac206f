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

/** The code without what it says to people: sentences, and comments. */
const code = (text: string) =>
  text
    .replace(/^ *\/\/.*\n/gm, '')
    .replace(/\/\*\*[\s\S]*?\*\//g, '/** */')
    .replace(/\b(description|summary|comment)\b(: |\()'(?:[^'\\]|\\.)*'/g, "$1$2'…'")
    .replace(/examples: \[[^\]]*\]/g, 'examples: […]')
    .replace(/\s+/g, ' ')
    // Where a sentence was, or how long it was, decides over lines and commas.
    .replace(/,(?= [)\]}])/g, '')
    .replace(/([([]) | (?=[)\]])/g, '$1');

/** What tasks have beyond their fields. */
const ownToTasks = /^ *\{ name: 'idx_tasks_user_id_created_at', .*\},\n/m;

describe('the templates', () => {
  const tasks = resourceFiles(parseResource(['tasks', 'title:string', 'description:text?', 'is_completed:boolean']));

  test.each([...tasks].filter(([path]) => !path.endsWith('.test.ts')))('say what %s says', (path, text) => {
    expect(code(formatted(path, text))).toBe(code(readFileSync(path, 'utf8').replace(ownToTasks, '')));
  });
});

describe('the name and the fields', () => {
  test.each([
    [['meeting-notes', 'title:string'], 'packages/db/src/schema/meeting-note.ts'],
    [['categories', 'title:string'], 'packages/db/src/schema/category.ts'],
    [['boxes', 'title:string'], 'packages/db/src/schema/box.ts'],
  ])('%j make %s', (texts, file) => {
    expect([...resourceFiles(parseResource(texts)).keys()]).toContain(file);
  });

  test.each([
    [[], 'in the plural'],
    [['Notes', 'title:string'], 'in small letters'],
    [['../notes', 'title:string'], 'in small letters'],
    [['sheep', 'title:string'], 'Add --singular'],
    [['notes'], 'say which fields'],
    [['notes', 'title'], 'name:type'],
    [['notes', 'title:varchar'], 'a type is string, text'],
    [['notes', "title:string'"], 'name:type'],
    [['notes', 'Title:string'], 'name:type'],
    [['notes', 'user_id:string'], 'cannot be called user_id'],
    [['notes', 'class:string'], 'cannot be called class'],
    [['notes', 'a:string', 'a:text'], 'a is there twice'],
    [['notes', 'pinned:boolean'], 'at least one field has to be required'],
    [['notes', ...Array.from({ length: 21 }, (_, n) => `f${n}:string`)], 'at most 20'],
  ])('%j are refused with a sentence', (texts, sentence) => {
    expect(() => parseResource(texts)).toThrow(UsageError);
    expect(() => parseResource(texts)).toThrow(sentence);
  });

  test('take a singular that no rule knows', () => {
    const files = resourceFiles(parseResource(['sheep', 'name:string'], 'one-sheep'));
    expect([...files.keys()]).toContain('packages/db/src/schema/one-sheep.ts');
  });
});
