import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../server.ts';
import { copyOfRepository, root } from './project.ts';

// Runs `npm run new -- resource` in a copy of this repository. The generated files pass all checks unedited.

let copy: Awaited<ReturnType<typeof copyOfRepository>>;
beforeAll(async () => {
  copy = await copyOfRepository();
});
afterAll(() => copy.remove());

const create = (...args: string[]) => copy.run('npm', 'run', '--silent', 'new', '--', ...args);
const make = (...args: string[]) => create('resource', ...args);
const changes = () => copy.run('git', 'status', '--porcelain', '--untracked-files=all');
const notes = ['notes', 'title:string', 'body:text?', 'pinned:boolean'];
const guide = readFileSync(join(root, 'docs/adding-a-resource.md'), 'utf8');
const everyType = [
  'line:string',
  'short:string(20)?',
  'code:string(20)!',
  'long_text:text',
  'note:text=none',
  'is_done:boolean',
  'is_known:boolean?',
  'is_open:boolean=true',
  'count:integer',
  'rank:integer?',
  'sequence:integer!',
  'views:bigint=0',
  'grams:bigint',
  'weight:number',
  'ratio:number?',
  'price:decimal(10,2)',
  'discount:decimal(5,2)=0.50',
  'due_on:date',
  'seen_on:date?',
  'due_at:timestamp',
  'seen_at:timestamp?',
  'status:enum(new,paid)=new',
  'size:enum(s,m,l)?',
  'contact:email?',
  'login:email!',
  'site:url',
  'home:url?',
  'extra:json',
  'more:json?',
  'external_id:uuid!',
  'other_id:uuid?',
];
/** A resource for each kind of owner, access, relation and list: as one would type them. Later ones refer to earlier ones. */
const shapes = [
  `projects name:string(80)! budget:decimal(10,2)=0 status:enum(open,done)=open --owned-by organization --filter status`,
  `guidelines title:string body:text? --owned-by organization --admin-write --public-read --searchable --sort title`,
  `project-steps project:parent(projects) title:string guideline:ref(guidelines)? --owned-by organization --filter guideline`,
  `categories name:string(80)! --owned-by nobody`,
  `products name:string(80) about:text? price:decimal(10,2) category:ref(categories) made_on:date?
    --owned-by nobody --public-read --filter category --sort price,made_on --searchable --embedded`,
  `variants product:parent(products) size:enum(s,m,l) code:string(20)! --owned-by nobody --public-read`,
  `orders status:enum(new,paid)=new address:text total:decimal(10,2)=0 gift:boolean --read-by-members --read-only status,total
    --filter status --sort total`,
  `order-items order:parent(orders) product:ref(products) quantity:integer --read-by-members`,
  `verdicts product:ref(products) task:ref(tasks)? rating:integer(1,5)=5 body:text
    --public-read --filter product,rating --sort rating --embedded`,
].map((line) => line.split(/\s+/));
/** Fields that are added to them. */
const additions = ['verdicts mood:enum(good,bad)=good', 'orders product:ref(products)?'];
const names = ['notes', 'meeting-minutes', ...shapes.map(([name = '']) => name)];

describe('a refused resource', () => {
  test('npm run new -- resource: a refusal gives a reason and changes nothing', async () => {
    await expect(make('tasks', 'title:string')).rejects.toThrow('tasks exists already');
    await expect(make('notes', 'title:varchar')).rejects.toThrow('the type must be string, text');
    await expect(create('field', 'tasks', 'rank:integer')).rejects.toThrow('existing rows need a value');
    await expect(create('mail', 'Weekly')).rejects.toThrow('NAME is words in lower case');
    await expect(create('job')).rejects.toThrow('NAME is words in lower case');
    const file = join(copy.path, 'apps/api/src/product/routes.ts');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/.*Above this line.*\n/, ''));
    await copy.run('git', 'add', '--all');
    const before = await changes();
    await expect(make(...notes)).rejects.toThrow(
      /apps\/api\/src\/product\/routes\.ts: restore the comment[\s\S]*Nothing changed/,
    );
    expect(await changes()).toBe(before);
    writeFileSync(file, text);
    await copy.run('git', 'add', '--all');
  });

  test('npm run new -- resource reverts everything on Ctrl-C', async () => {
    const before = await changes();
    const child = spawn('npm', ['run', '--silent', 'new', '--', 'resource', ...notes], {
      cwd: copy.path,
      detached: true,
    });
    let said = '';
    child.stderr.setEncoding('utf8');
    for await (const text of child.stderr) {
      said += text;
      // The terminal sends Ctrl-C to every process of its group.
      if (text.includes('generating the migration')) process.kill(-(child.pid ?? 0), 'SIGINT');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(said).toContain('Nothing changed');
    expect(await changes()).toBe(before);
  });
});

describe('a generated resource', () => {
  beforeAll(async () => {
    await make(...notes);
    await make(
      'meeting-minutes',
      ...everyType,
      '--singular',
      'meeting-minute',
      '--filter',
      'status,due_on,sequence,contact,external_id',
    );
    for (const shape of shapes) await make(...shape);
    for (const addition of additions) await create('field', ...addition.split(' '));
    await create('job', 'send-reminders');
    await create('mail', 'weekly-summary');
  });

  test('a generated resource has nine new files and lines in files of the product', async () => {
    const lines = (await changes()).split('\n');
    const isOfNotes = (line: string) => /notes?[/.]|notes\./.test(line);
    expect(
      lines
        .filter((line) => line.startsWith('??') && isOfNotes(line))
        .map((line) => line.slice(3).replace(/\d{4}_/, 'NNNN_')),
    ).toEqual([
      'apps/api/src/notes/notes.test.ts',
      'apps/api/src/notes/routes.ts',
      'apps/api/src/notes/schemas.ts',
      'apps/api/src/notes/service.ts',
      'apps/api/testing/notes.ts',
      'packages/db/src/migrations/NNNN_add_notes.down.sql',
      'packages/db/src/migrations/NNNN_add_notes.up.sql',
      'packages/db/src/repositories/notes.ts',
      'packages/db/src/schema/note.ts',
    ]);
    expect(lines.filter((line) => line.startsWith('AM')).map((line) => line.slice(3))).toEqual([
      'apps/api/src/product/jobs.ts',
      'apps/api/src/product/mails.ts',
      'apps/api/src/product/routes.ts',
      'apps/api/src/product/scopes.ts',
      'apps/api/src/product/services.ts',
      'apps/api/src/product/tags.ts',
      'apps/api/src/tasks/routes.ts',
      'docs/schema.md',
      'packages/client/src/openapi.d.ts',
      'packages/db/src/product/entities.ts',
      'packages/db/src/product/privileges.ts',
      'packages/db/src/product/repositories.ts',
      'packages/db/src/schema/tables.ts',
    ]);
  });

  test('a generated resource matches docs/adding-a-resource.md', () => {
    const excerpts = [...guide.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
    expect(excerpts.length).toBeGreaterThan(4);
    for (const [, file = '', lines = ''] of excerpts) {
      const text = readFileSync(join(copy.path, file), 'utf8');
      for (const line of lines.trimEnd().split('\n')) expect([file, text.includes(line)]).toEqual([file, true]);
    }
    expect(guide).toContain(`npm run new -- resource ${notes.join(' ')}`);
  });

  test('generated resources, jobs and mails pass lint, types, layers, documents and migrations', async () => {
    expect(await copy.run('npm', 'run', '--silent', 'lint')).toContain('migrations: comments and locks are in order');
  });

  test('npm run new -- job and mail: a name that exists is refused', async () => {
    await expect(create('job', 'send-reminders')).rejects.toThrow('send-reminders.ts exists already');
    await expect(create('mail', 'weekly-summary')).rejects.toThrow('weekly-summary.ts exists already');
  });

  test('generated resources, jobs and mails pass their tests and the tests of all routes', async () => {
    const tests = [
      ...names.map((name) => `apps/api/src/${name}`),
      'apps/api/src/jobs/kinds',
      'apps/api/src/mail',
      'apps/api/src/api-keys',
      'packages/db/src/row-security.test.ts',
      'apps/api/src/app.test.ts',
      'apps/api/src/http/openapi.test.ts',
    ];
    const said = await copy.run('npx', 'vitest', 'run', '--no-color', ...tests);
    expect(said).toMatch(/Tests +\d+ passed/);
    expect(said).not.toMatch(/\d failed/);
  });

  test('a generated migration goes up, down and up, and agrees with entities and client', async () => {
    const database = `pglite://${copy.path}/.data/check`;
    const db = (...args: string[]) =>
      copy.run('env', `DATABASE_URL=${database}`, 'npm', 'run', '--silent', 'db', '--', ...args);
    await db('upgrade');
    await db('downgrade', '--to', 'base');
    await db('upgrade');
    expect(await db('check')).toBe('database, migrations and entities agree\n');
    expect(await db('docs', '--check')).toContain('up to date');
    await copy.run('npm', 'run', '--silent', 'openapi', '--', '--check');
  });

  test('a generated resource answers over HTTP', async () => {
    const child = spawn('npm', ['start', '--silent'], {
      cwd: copy.path,
      detached: true,
      env: { ...process.env, NODE_ENV: 'development', PORT: '0', DATABASE_URL: 'memory://', LOG_LEVEL: 'warn' },
    });
    try {
      let said = '';
      for await (const text of child.stdout.setEncoding('utf8')) {
        said += text;
        if (said.includes(' answers at ')) break;
      }
      const url = `${/answers at (\S+)/.exec(said)?.[1]}/api/v1`;
      const ada = { email: 'ada@example.com', password: 'correct horse battery' };
      await send(`${url}/auth/register`, { body: ada });
      const { access_token: token } = (await send(`${url}/auth/login`, { body: ada })).body;
      const made = await send(`${url}/users/me/notes`, { token, body: { title: 'A first note', pinned: true } });
      expect(made).toMatchObject({ status: 201, body: { title: 'A first note', body: null, pinned: true } });
      expect((await send(`${url}/users/me/notes?q=FIRST&pinned=true`, { token })).body.items).toEqual([made.body]);
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      await once(child, 'exit');
    }
  });
});
