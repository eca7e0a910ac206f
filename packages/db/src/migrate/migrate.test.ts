import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase, testServerUrl } from '../../testing/test-database.ts';
import { connect } from '../connect.ts';
import { readCatalog } from './catalog.ts';
import { check, revision } from './drift.ts';
import * as migrations from './migrate.ts';
import { schemaDocs } from './schema-docs.ts';

let database: TestDatabase;
let directory: string;
beforeEach(async () => {
  database = await createTestDatabase({ isMigrated: false });
  directory = await mkdtemp(join(tmpdir(), 'quoin-migrations-'));
  await cp(fileURLToPath(new URL('../migrations/', import.meta.url)), directory, { recursive: true });
});
afterEach(async () => {
  await database.close();
  await rm(directory, { recursive: true });
});

const names = async () => (await migrations.files()).map(({ name }) => name);
const tables = async () => (await database.inspect(readCatalog)).tables.map(({ name }) => name);
const execute = (script: string) => database.maintain((connection) => connection.execute(script));
const add = (name: string, up: string, down: string) =>
  writeFile(
    join(directory, `${name}.ts`),
    `export const up = ${JSON.stringify(up)};\nexport const down = ${JSON.stringify(down)};\n`,
  );

test('go up, down to base, and up again, on an empty database', async () => {
  const all = await names();
  expect(await migrations.upgrade(database)).toEqual(all);
  expect(await migrations.upgrade(database)).toEqual([]);
  const migrated = await database.inspect(readCatalog);
  expect(await migrations.current(database)).toBe(all.at(-1));
  expect(await migrations.downgrade(database, { to: 'base' })).toEqual([...all].reverse());
  expect(await tables()).toEqual(['schema_migrations']);
  expect((await database.inspect(readCatalog)).functions).toEqual([]);
  expect(await migrations.current(database)).toBeUndefined();
  expect(await migrations.upgrade(database)).toEqual(all);
  expect(await database.inspect(readCatalog)).toEqual(migrated);
  expect(await check(database)).toEqual([]);
});

test('go down and up on a filled database', async () => {
  await migrations.upgrade(database);
  const user = await database.system(({ users }) => users.create({ email: 'a@example.com', password_hash: 'x' }));
  const scope = { userId: user.id, sessionId: user.id, isAdmin: false };
  await database.as(scope, ({ tasks }) => tasks.create({ user_id: user.id, title: 'x' }));
  await migrations.downgrade(database, { to: 'base' });
  await migrations.upgrade(database);
  expect(await check(database)).toEqual([]);
  expect(await database.system(({ users }) => users.list({ limit: 1 }))).toEqual([]);
});

test('go one step down by default, and to a name, whole or in part', async () => {
  const [first = '', ...others] = await names();
  const last = others.at(-1) ?? '';
  expect(await migrations.upgrade(database, { to: first.slice(0, 14) })).toEqual([first]);
  expect(await migrations.pending(database)).toEqual(others);
  expect(await migrations.upgrade(database)).toEqual(others);
  expect(await migrations.downgrade(database)).toEqual([last]);
  expect(await migrations.upgrade(database, { to: last })).toEqual([last]);
  expect(await migrations.downgrade(database, { to: first })).toEqual([...others].reverse());
  await expect(migrations.upgrade(database, { to: 'nothing' })).rejects.toThrow('there is no migration nothing');
});

test('wait for each other when several are started at once', async () => {
  const others = testServerUrl
    ? [await connect(database.directUrl), await connect(database.directUrl), await connect(database.directUrl)]
    : [database, database];
  const applied = await Promise.all([database, ...others].map((one) => migrations.upgrade(one)));
  expect(applied.flat()).toEqual(await names());
  if (testServerUrl) await Promise.all(others.map((one) => one.close()));
});

test('that fail leave nothing of themselves, and what came before them stays', async () => {
  await add('20990101000000_fails', 'create table half (id int); select 1/0', 'drop table half');
  await expect(migrations.upgrade(database, { directory })).rejects.toThrow('20990101000000_fails: division by zero');
  expect(await tables()).not.toContain('half');
  expect(await migrations.current(database, { directory })).toBe((await names()).at(-1));
});

test('can be a single statement that runs in no transaction', async () => {
  await migrations.upgrade(database);
  const name = '20990101000000_index_concurrently';
  await writeFile(
    join(directory, `${name}.ts`),
    'export const transaction = false;\nexport const up = `create index concurrently idx_new on tasks (title)`;\nexport const down = `drop index concurrently idx_new`;\n',
  );
  expect(await migrations.upgrade(database, { directory })).toEqual([name]);
  // The live database is what the migrations make of it; only the entities know nothing of the index.
  expect(await check(database, { directory })).toEqual([
    expect.stringMatching(/^entities without a migration: drop index "idx_new"/),
  ]);
  expect(await migrations.downgrade(database, { directory })).toEqual([name]);
});

test.runIf(testServerUrl)('wait for a table without making everybody wait behind them', async () => {
  await migrations.upgrade(database);
  await add(
    '20990101000000_waits',
    'alter table tasks add column added int null',
    'alter table tasks drop column added',
  );
  const holder = await connect(database.directUrl);
  const slow = holder.maintain(async (connection) => {
    await connection.execute('begin; lock table tasks in access share mode');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await connection.execute('commit');
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  let isOver = false;
  const upgrade = migrations.upgrade(database, { directory }).finally(() => {
    isOver = true;
  });
  let waitMsMax = 0;
  while (!isOver) {
    const begun = performance.now();
    await database.inspect((connection) => connection.query('select count(*) from tasks'));
    waitMsMax = Math.max(waitMsMax, performance.now() - begun);
  }
  expect(await upgrade).toEqual(['20990101000000_waits']);
  expect(waitMsMax).toBeLessThan(4_000);
  await slow;
  await holder.close();
});

test('of a newer version are not run over, and cannot be taken back', async () => {
  await add('20990101000000_newer', 'create table newer (id int)', 'drop table newer');
  await migrations.upgrade(database, { directory });
  await expect(migrations.upgrade(database)).rejects.toThrow(
    'migrated by a newer version: it has 20990101000000_newer',
  );
  await expect(migrations.downgrade(database)).rejects.toThrow('20990101000000_newer has no file here');
  expect(await migrations.pending(database)).toEqual([]);
  expect(await check(database)).toEqual(['20990101000000_newer: applied, but there is no such file']);
});

describe('check', () => {
  test('names what is pending', async () => {
    expect(await check(database)).toEqual((await names()).map((name) => `${name}: not applied`));
  });

  test('notices a file that was edited after it was applied', async () => {
    await migrations.upgrade(database, { directory });
    const [name = ''] = await names();
    const file = join(directory, `${name}.ts`);
    await writeFile(file, `${await readFile(file, 'utf8')}// edited\n`);
    expect(await check(database, { directory })).toEqual([`${name}: the file was changed after it was applied`]);
  });

  const drifts: [what: string, drift: string, line: string][] = [
    ['a column', 'alter table tasks add column priority int', 'table tasks: column priority integer'],
    [
      'a type',
      'alter table users alter column full_name type varchar(300)',
      'table users: column full_name character varying(300)',
    ],
    [
      'a default',
      'alter table tasks alter column is_completed set default true',
      'table tasks: column is_completed boolean not null default true',
    ],
    [
      'a missing not null',
      'alter table tasks alter column title drop not null',
      'table tasks: column title character varying(200)',
    ],
    [
      'a missing index',
      'drop index idx_users_username',
      'missing in the database: table users: CREATE UNIQUE INDEX idx_users_username',
    ],
    [
      'an index of other columns',
      'drop index idx_tasks_user_id; create index idx_tasks_user_id on tasks (user_id)',
      'CREATE INDEX idx_tasks_user_id',
    ],
    [
      'a foreign key without its rule',
      'alter table tasks drop constraint fk_tasks_user_id; alter table tasks add constraint fk_tasks_user_id foreign key (user_id) references users',
      'fk_tasks_user_id',
    ],
    [
      'a missing check',
      'alter table user_preferences drop constraint chk_user_preferences_theme',
      'chk_user_preferences_theme',
    ],
    [
      'a policy that lets everybody in',
      'alter policy tasks_owner on tasks using (true)',
      'policy tasks_owner permissive for all to quoin_app using true',
    ],
    [
      'row level security turned off',
      'alter table tasks disable row level security',
      'table tasks: row level security off',
    ],
    ['a privilege too many', 'grant update on users to quoin_app', 'quoin_app may'],
    [
      'a missing trigger',
      'drop trigger set_updated_at on tasks',
      'missing in the database: table tasks: CREATE TRIGGER set_updated_at',
    ],
    [
      'a function with another body',
      `create or replace function tasks_set_updated_at_fn() returns trigger language plpgsql as 'begin return new; end'`,
      'FUNCTION public.tasks_set_updated_at_fn',
    ],
    ['a comment', `comment on column tasks.title is 'Another'`, 'comment "Another"'],
    [
      'a table',
      'create table extra (id int primary key)',
      'only in the database: table extra: column id integer not null',
    ],
  ];

  test('notices every way in which a database can differ', async () => {
    await migrations.upgrade(database);
    for (const [, drift] of drifts) await execute(drift);
    const found = (await check(database)).join('\n');
    for (const [what, , line] of drifts) expect(found, what).toContain(line);
  });
});

describe('revision', () => {
  test('finds nothing to do where entities and migrations agree', async () => {
    expect(await revision('Nothing', { directory })).toBeUndefined();
  });

  test('writes a migration, up and down, from the difference, after which there is none', async () => {
    // Without the migrations that create tables, everything in them is a difference.
    const all = await names();
    const roles = all.filter((name) => /_role/.test(name) && !name.includes('separate'));
    for (const name of all.filter((one) => !roles.includes(one))) await rm(join(directory, `${name}.ts`));
    const written = await revision('All the tables: again!', { directory });
    expect(written?.name).toMatch(/^\d{14}_all_the_tables_again$/);
    expect(written?.renames).toEqual([]);
    const text = await readFile(written?.path ?? '', 'utf8');
    expect(text).toContain('Does the old code keep working');
    expect(await revision('Once more', { directory })).toBeUndefined();
    expect(await migrations.upgrade(database, { directory })).toEqual([...roles, written?.name]);
    const { entities } = await import('../schema/entities.ts');
    expect(await tables()).toEqual([...entities.map(({ meta }) => meta.tableName), 'schema_migrations'].sort());
    await migrations.downgrade(database, { directory });
    expect(await tables()).toEqual(['schema_migrations']);
  });

  test('grants the roles their work in a new table, and leaves alone what was written by hand', async () => {
    const { defineEntity, p } = await import('@mikro-orm/core');
    const { entities } = await import('../schema/entities.ts');
    const { UserSchema } = await import('../schema/user.ts');
    const { ownerPolicy, systemPolicy } = await import('../schema/columns.ts');
    const note = defineEntity({
      name: 'Scrap',
      tableName: 'scraps',
      properties: { id: p.uuid().primary(), user: () => p.manyToOne(UserSchema), text: p.text() },
      policies: [ownerPolicy('scraps', 'user_id'), systemPolicy('scraps')],
    });
    const written = await revision('Scraps', { directory, entities: [...entities, note] });
    const { up, down } = await import(written?.path ?? '');
    expect(up).toContain('grant select, insert, update, delete on "scraps" to quoin_app;');
    expect(up).toContain('grant select, insert, update, delete on "scraps" to quoin_system;');
    expect(up.match(/grant/g)).toHaveLength(2);
    expect(down.trim()).toBe('drop table if exists "scraps" cascade;');
    await migrations.upgrade(database, { directory });
    expect(await check(database, { directory, entities: [...entities, note] })).toEqual([]);
  });

  test('keeps the width of a vector and the operator class of its index', async () => {
    const { defineEntity, p } = await import('@mikro-orm/core');
    const thing = defineEntity({
      name: 'Thing',
      tableName: 'things',
      properties: { id: p.uuid().primary(), embedding: p.string().columnType('vector(768)').nullable() },
      indexes: [
        {
          name: 'idx_things_embedding',
          expression:
            'create index "idx_things_embedding" on "things" using hnsw ("embedding" vector_cosine_ops) with (m = 24)',
        },
      ],
    });
    const { entities } = await import('../schema/entities.ts');
    const own = { directory, entities: [...entities, thing] };
    const written = await revision('Things', own);
    const text = await readFile(written?.path ?? '', 'utf8');
    expect(text).toContain('"embedding" vector(768) null');
    expect(text).toContain('using hnsw ("embedding" vector_cosine_ops) with (m = 24)');
    expect(await revision('Things again', own)).toBeUndefined();
    await migrations.upgrade(database, own);
    expect(await check(database, own)).toEqual([]);
    await execute(
      'drop index idx_things_embedding; create index idx_things_embedding on things using hnsw (embedding vector_l2_ops)',
    );
    expect((await check(database, own)).join('\n')).toContain('vector_l2_ops');
  });

  test('says aloud when it renames', async () => {
    const tasksMadeBy = (await names())[1] ?? '';
    const file = join(directory, `${tasksMadeBy}.ts`);
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('"is_completed"', '"is_done"'));
    const written = await revision('Rename', { directory });
    expect(written?.renames.join()).toMatch(/rename column "is_done" to "is_completed"/);
  });

  test('needs a message', async () => {
    await expect(revision('…', { directory })).rejects.toThrow('needs at least one letter');
  });
});

test.runIf(testServerUrl)('say what an administrator has to run, where the role may not do it', async () => {
  const role = `quoin_limited_${randomUUID().slice(0, 8)}`;
  await execute(`create role ${role} login password 'x'; grant all on schema public to ${role}`);
  const url = new URL(database.directUrl);
  [url.username, url.password] = [role, 'x'];
  const limited = await connect(url.href);
  try {
    await expect(migrations.upgrade(limited)).rejects.toThrow(
      new RegExp(
        `the role ${role} may not become quoin_app\nAs an administrator of the server run: grant quoin_app to ${role}`,
      ),
    );
  } finally {
    await limited.maintain((connection) => connection.execute('drop table if exists schema_migrations'));
    await limited.close();
    await execute(`revoke all on schema public from ${role}; drop role ${role}`);
  }
});

test('docs/schema.md is what the live schema says', async () => {
  await migrations.upgrade(database);
  expect(await schemaDocs(database)).toBe(
    await readFile(new URL('../../../../docs/schema.md', import.meta.url), 'utf8'),
  );
});
