import { appendFileSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Adds a line below another one to a file of the product. */
function insert(file: string, below: string, line: string): void {
  const path = join(product, file);
  writeFileSync(path, readFileSync(path, 'utf8').replace(below, `${below}\n${line}`));
}

/** Moves what was generated in a copy of Quoin from the files of the product to those of the foundation, as a later Quoin would have it. */
function moveToFoundation(copy: string): void {
  const edit = (file: string, change: (text: string) => string) =>
    writeFileSync(join(copy, file), change(readFileSync(join(copy, file), 'utf8')));
  for (const file of globSync('{apps/api/src,packages/db/src}/product/*.ts', { cwd: copy }))
    writeFileSync(join(copy, file), readFileSync(join(root, file)));
  edit(
    'packages/db/src/schema/entities.ts',
    (text) =>
      `import { QuarrySchema } from './quarry.ts';\n${text.replace('  ...productEntities,', '  QuarrySchema,\n  ...productEntities,')}`,
  );
  edit(
    'packages/db/src/repositories/repositories.ts',
    (text) =>
      `import { quarries } from './quarries.ts';\n${text.replace('  ...productOwnerFactories,', '  quarries,\n  ...productOwnerFactories,')}`,
  );
  edit(
    'apps/api/src/services.ts',
    (text) =>
      `import { createQuarries } from './quarries/service.ts';\n${text.replace('    product: createAll', '    quarries: createQuarries({ database }),\n    product: createAll')}`,
  );
  edit(
    'apps/api/src/app.ts',
    (text) =>
      `import { quarryRoutes } from './quarries/routes.ts';\n${text.replace('    for (const register of', '    quarryRoutes(api, services);\n    for (const register of')}`,
  );
  edit('apps/api/src/auth/scopes.ts', (text) =>
    text.replace('  ...registeredScopes,', "  'quarries:read',\n  'quarries:write',\n  ...registeredScopes,"),
  );
  edit('apps/api/src/http/openapi.ts', (text) =>
    text.replace(
      '        ...registeredTags,',
      "        { name: 'quarries', description: 'Quarries.' },\n        ...registeredTags,",
    ),
  );
  edit('apps/api/src/http/errors.ts', (text) =>
    text.replace('  shutting_down:', "  quarry_closed: { status: 409, title: 'Quarry closed' },\n  shutting_down:"),
  );
  edit(
    'apps/api/src/mail/kinds.ts',
    (text) =>
      `import { quarryOpenedMail } from './kinds/quarry-opened.ts';\n${text.replace('  ...registeredMails,', '  quarryOpenedMail,\n  ...registeredMails,')}`,
  );
}

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

    // A service, an error, a table and a mail of the product.
    await run('npm', 'run', '--silent', 'new', '--', 'resource', 'recipes', 'title:string');
    await run('npm', 'run', '--silent', 'new', '--', 'mail', 'order-ready');
    insert(
      'apps/api/src/product/errors.ts',
      'export const registeredProblems = {',
      "  oven_cold: { status: 409, title: 'Oven cold' },",
    );
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'Add recipes');

    const later = await copyOfRepository();
    // A service, an error, a table and a mail of the foundation, each next to those of before.
    await later.run('npm', 'run', '--silent', 'new', '--', 'resource', 'quarries', 'name:string');
    await later.run('npm', 'run', '--silent', 'new', '--', 'mail', 'quarry-opened');
    moveToFoundation(later.path);
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
    expect(await git('status', '--porcelain')).toBe('');
    await run('npm', 'run', '--silent', 'generate');
    for (const [file, texts] of Object.entries({
      'docs/schema.md': ['recipes', 'quarries'],
      'packages/db/src/schema/tables.ts': ['recipes: RecipeTable', 'quarries: QuarryTable'],
      'packages/client/src/openapi.d.ts': ['/recipes"', '/quarries"', 'oven_cold', 'quarry_closed'],
    }))
      for (const text of texts)
        expect([file, text, readFileSync(join(product, file), 'utf8').includes(text)]).toEqual([file, text, true]);
    expect(await run('npm', 'run', '--silent', 'lint')).toContain('migrations: comments and locks are in order');
    expect(await run('npx', 'vitest', 'run', '--no-color', 'apps/api/src/recipes', 'apps/api/src/quarries')).toMatch(
      /Tests +\d+ passed/,
    );
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
