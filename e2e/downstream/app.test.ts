import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyOfRepository, newProject, root, runIn } from './project.ts';

// Runs `npm run new -- app`. The generated product passes all checks unedited and merges a later version of Quoin.

const parent = newProject();
const product = join(parent.path, 'stone-works');
const make = (cwd: string, directory: string, ...more: string[]) =>
  runIn(cwd, 'npm', ['run', '--silent', 'new', '--', 'app', directory, ...more]);
const run = (command: string, ...args: string[]) => runIn(product, command, args);
const git = (...args: string[]) =>
  run('git', '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false', ...args);

beforeAll(async () => {
  await make(root, product, '--name', 'The Stone Works');
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'Begin');
  await git('branch', 'foundation');
});
afterAll(() => parent.remove());

describe('a product', () => {
  test('a generated product names Quoin only where it has to', async () => {
    const lines = (await git('grep', '--ignore-case', 'quoin')).trim().split('\n');
    const elsewhere = lines.filter(
      (line) => !/^(LICENSE-foundation|docs\/upgrading\.md|package\.json:.*"quoin")/.test(line),
    );
    expect(elsewhere).toEqual([]);
    expect(JSON.parse(readFileSync(join(product, 'package.json'), 'utf8'))).toMatchObject({
      name: 'stone-works',
      foundation: { name: 'quoin', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    });
    const readme = readFileSync(join(product, 'README.md'), 'utf8');
    expect(readme).toMatch(/^# The Stone Works\n/);
    expect(readme).not.toMatch(/What you get|new -- app|MIT licensed/);
    for (const file of ['LICENSE', '.env', '.data', 'node_modules'])
      expect(existsSync(join(product, file))).toBe(false);
  });

  test('a generated product passes lint, types, documents, migrations and client checks', async () => {
    await run('npm', 'ci', '--prefer-offline');
    expect(await run('npm', 'run', '--silent', 'lint')).toContain('migrations: comments and locks are in order');
    await run('npm', 'run', '--silent', 'openapi', '--', '--check');
    for (const args of [['upgrade'], ['check'], ['docs', '--check']])
      await run('npm', 'run', '--silent', 'db', '--', ...args);
  });

  test('a generated product passes its tests', async () => {
    const vitest = (...args: string[]) => run('npx', 'vitest', 'run', '--no-color', ...args);
    const files = [
      'apps/api/src/tasks',
      'apps/api/src/http/openapi.test.ts',
      'apps/api/src/config/config.test.ts',
      'scripts',
    ];
    expect(await vitest(...files)).toMatch(/Tests +\d+ passed/);
    expect(await vitest('e2e/start.test.ts', '--testNamePattern', 'session works')).toMatch(/Tests +1 passed/);
  });

  test('a generated product merges a later version with its own changes', async () => {
    appendFileSync(join(product, 'apps/api/src/tasks/service.ts'), '// The product’s own.\n');
    await git('commit', '--quiet', '--all', '--message', 'Change tasks');

    const later = await copyOfRepository();
    const service = join(later.path, 'apps/api/src/tasks/service.ts');
    writeFileSync(service, `// A later Quoin's.\n${readFileSync(service, 'utf8')}`);
    writeFileSync(join(later.path, 'docs/later.md'), '# A page of a later Quoin\n');
    const made = join(later.path, '..', `${later.path.split('/').at(-1)}-made`, 'stone-works');
    await make(later.path, made, '--name', 'The Stone Works');

    await git('switch', '--quiet', 'foundation');
    await git('rm', '--quiet', '-r', '.');
    await run('cp', '-a', `${made}/.`, '.');
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'Merge a later version');
    await git('switch', '--quiet', 'main');
    await git('merge', '--quiet', '--no-edit', 'foundation');
    const merged = readFileSync(join(product, 'apps/api/src/tasks/service.ts'), 'utf8');
    expect(merged).toMatch(/^\/\/ A later The Stone Works's\.\n[\s\S]*\/\/ The product’s own\.\n$/);
    expect(existsSync(join(product, 'docs/later.md'))).toBe(true);
    later.remove();
    await runIn(parent.path, 'rm', ['-r', join(made, '..')]);
  });
});

describe('a refused product', () => {
  test.each([
    [['../Bakery'], 'is not a valid package name'],
    [['../my_app'], 'is not a valid package name'],
    [['apps/bakery'], 'inside this repository'],
    [[product], 'already exists'],
    [['../bakery', '--name', '"; drop'], 'is not a valid product name'],
    [['../bakery', 'more'], 'give one directory'],
  ])('npm run new -- app %j fails with a message and creates nothing', async (args, sentence) => {
    await expect(make(root, ...(args as [string]))).rejects.toThrow(sentence);
    expect(existsSync(join(root, '../bakery'))).toBe(false);
  });
});
