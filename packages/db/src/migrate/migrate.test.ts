import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copiedMigrations } from '../../testing/copied-migrations.ts';
import { createTestDatabase, scopeOf, type TestDatabase, testServerUrl } from '../../testing/test-database.ts';
import { connect } from '../connect.ts';
import { readCatalog } from './catalog.ts';
import { migrationNames } from './files.ts';
import { current, downgrade, history, pending, upgrade } from './migrate.ts';

let database: TestDatabase;
let directory: string;
let remove: () => void;
beforeEach(async () => {
  database = await createTestDatabase({ isMigrated: false });
  ({ directory, remove } = await copiedMigrations());
});
afterEach(async () => {
  await database.close();
  remove();
});

const all = await migrationNames();
const last = all.at(-1);
const catalog = () => database.inspect(readCatalog);
const tables = async () => (await catalog()).tables.map(({ name }) => name);
const execute = (script: string) => database.maintain((connection) => connection.execute(script));
const indexes = async (name: string) =>
  (
    await database.inspect((connection) =>
      connection.query<{ indisvalid: boolean }>('select indisvalid from pg_index where indexrelid = to_regclass($1)', [
        name,
      ]),
    )
  ).rows;
const add = async (name: string, up: string, down: string) => {
  await writeFile(join(directory, `${name}.up.sql`), `${up}\n`);
  await writeFile(join(directory, `${name}.down.sql`), `${down}\n`);
};

test('upgrade and downgrade go up, down to base and up again, with data', async () => {
  expect(await upgrade(database)).toEqual(all);
  expect(await upgrade(database)).toEqual([]);
  expect(await current(database)).toBe(last);
  const migrated = await catalog();
  const { id } = await database.system().users.create({ email: 'a@example.com', password_hash: 'x' });
  await database.as(scopeOf(id)).tasks.create({ title: 'x' });
  expect(await downgrade(database, { to: 'base' })).toEqual([...all].reverse());
  expect(await tables()).toEqual(['schema_migrations']);
  expect((await catalog()).functions).toEqual([]);
  expect(await current(database)).toBeUndefined();
  expect(await upgrade(database)).toEqual(all);
  expect(await catalog()).toEqual(migrated);
  expect(await database.system().users.list({ limit: 1 })).toEqual([]);
});

test('upgrade and downgrade go to a name or a number, and downgrade goes one step by default', async () => {
  const [first = '', ...others] = all;
  expect(await upgrade(database, { to: first.slice(0, 4) })).toEqual([first]);
  expect(await pending(database)).toEqual(others);
  expect(await upgrade(database)).toEqual(others);
  expect(await downgrade(database)).toEqual([last]);
  expect(await upgrade(database, { to: last })).toEqual([last]);
  expect(await downgrade(database, { to: first })).toEqual([...others].reverse());
  await expect(upgrade(database, { to: 'nothing' })).rejects.toThrow('there is no migration nothing');
});

test('concurrent upgrades wait for each other', async () => {
  const others = testServerUrl
    ? [await connect(database.directUrl), await connect(database.directUrl), await connect(database.directUrl)]
    : [database, database];
  const applied = await Promise.all([database, ...others].map((one) => upgrade(one)));
  expect(applied.flat()).toEqual(all);
  if (testServerUrl) await Promise.all(others.map((one) => one.close()));
});

test('a migration that fails leaves nothing behind, and the ones before it stay', async () => {
  await add('9001_fails', 'create table half (id int);\nselect 1/0;', 'drop table half;');
  await expect(upgrade(database, { directory })).rejects.toThrow('9001_fails: division by zero');
  expect(await tables()).not.toContain('half');
  expect(await current(database, { directory })).toBe(last);
});

test('upgrade refuses to run if an applied migration was edited, and names it', async () => {
  await upgrade(database, { directory });
  const file = join(directory, `${all[1]}.up.sql`);
  await writeFile(file, `${await readFile(file, 'utf8')}-- edited\n`);
  await add('9001_new', 'create table fresh (id int);', 'drop table fresh;');
  await expect(upgrade(database, { directory })).rejects.toThrow(`edited after they were applied: ${all[1]}.`);
  expect(await tables()).not.toContain('fresh');
});

test('a migration needs both files', async () => {
  await writeFile(join(directory, '9001_half.up.sql'), 'select 1;\n');
  await expect(upgrade(database, { directory })).rejects.toThrow('9001_half.down.sql is missing');
});

test('a migration of another version blocks upgrade and cannot be reverted', async () => {
  await add('9001_newer', 'create table newer (id int);', 'drop table newer;');
  await upgrade(database, { directory });
  await expect(upgrade(database)).rejects.toThrow('the database has migrations of another version: 9001_newer');
  await expect(downgrade(database)).rejects.toThrow('9001_newer cannot be reverted, because its files are missing');
  expect(await pending(database)).toEqual([]);
  expect((await history(database)).at(-1)).toMatchObject({ name: '9001_newer', applied: { at: expect.any(Date) } });
});

test('a migration with "transaction: none" can build an index concurrently', async () => {
  await upgrade(database);
  const up = '-- transaction: none\ncreate index concurrently idx_new on tasks (title)';
  await add('9001_index', up, 'drop index idx_new');
  // Each file says for itself whether it runs in a transaction.
  await add(
    '9002_other',
    'create index idx_other on tasks (title)',
    '-- transaction: none\ndrop index concurrently idx_other',
  );
  expect(await upgrade(database, { directory })).toEqual(['9001_index', '9002_other']);
  expect(await indexes('idx_new')).toEqual([{ indisvalid: true }]);
  expect(await downgrade(database, { directory, to: last })).toEqual(['9002_other', '9001_index']);
  expect([await indexes('idx_new'), await indexes('idx_other')]).toEqual([[], []]);
});

test('an index that fails to build concurrently leaves no invalid index, and the first error is reported', async () => {
  await upgrade(database);
  for (const email of ['a@example.com', 'b@example.com'])
    await database.system().users.create({ email, password_hash: 'same' });
  const up = '-- transaction: none\ncreate unique index concurrently idx_new on users (password_hash)';
  await add('9001_index', up, 'drop index concurrently idx_new');
  for (let attempt = 0; attempt < 2; attempt++)
    await expect(upgrade(database, { directory })).rejects.toThrow(/9001_index: could not create unique index/);
  expect(await indexes('idx_new')).toEqual([]);
  await execute(`update users set password_hash = email`);
  expect(await upgrade(database, { directory })).toEqual(['9001_index']);
});

test.runIf(testServerUrl)(
  'an index that waits too long for a lock is not retried, and can be built later',
  async () => {
    await upgrade(database);
    const up = '-- transaction: none\ncreate index concurrently idx_new on tasks (title)';
    await add('9001_index', up, 'drop index concurrently idx_new');
    await database.maintain(async (holder) => {
      await holder.execute('begin; lock table tasks in row exclusive mode');
      await expect(upgrade(database, { directory, lockMsMax: 100 })).rejects.toThrow(
        '9001_index: canceling statement due to lock timeout',
      );
      await holder.execute('rollback');
    });
    // While the holder has the table, the invalid index cannot be dropped either. The next run drops it.
    expect(await upgrade(database, { directory })).toEqual(['9001_index']);
    expect(await indexes('idx_new')).toEqual([{ indisvalid: true }]);
  },
);

test.runIf(testServerUrl)('a migration that waits for a table lets others use the table meanwhile', async () => {
  await upgrade(database);
  await add('9001_waits', 'alter table tasks add column added int null;', 'alter table tasks drop column added;');
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  const isWaiting = async () => (await database.inspect((connection) => connection.query(waiting))).rows.length === 1;
  const upgraded = await database.maintain(async (holder) => {
    await holder.execute('begin; lock table tasks in access share mode');
    const running = upgrade(database, { directory });
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect.poll(isWaiting).toBe(true);
      // Queued behind the migration until it gives up; answered while the holder still has the table.
      await database.inspect((connection) => connection.query('select count(*) from tasks'));
    }
    await holder.execute('commit');
    return running;
  });
  expect(upgraded).toEqual(['9001_waits']);
});

test.runIf(testServerUrl)(
  'a missing privilege is reported with the statement that an administrator has to run',
  async () => {
    const role = `quoin_limited_${randomUUID().slice(0, 8)}`;
    await execute(`create role ${role} login password 'x'; grant all on schema public to ${role}`);
    const url = new URL(database.directUrl);
    [url.username, url.password] = [role, 'x'];
    const limited = await connect(url.href);
    try {
      await expect(upgrade(limited)).rejects.toThrow(
        new RegExp(
          `the role ${role} may not become quoin_app\nAs an administrator of the server run: grant quoin_app to ${role}`,
        ),
      );
    } finally {
      await limited.maintain((connection) => connection.execute('drop table if exists schema_migrations'));
      await limited.close();
      await execute(`revoke all on schema public from ${role}; drop role ${role}`);
    }
  },
);
