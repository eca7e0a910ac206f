import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copiedMigrations } from '../../testing/copied-migrations.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { ownedBy } from '../schema/columns.ts';
import { entities } from '../schema/entities.ts';
import { UserSchema } from '../schema/user.ts';
import { readCatalog } from './catalog.ts';
import { check, revision } from './drift.ts';
import { migrationNames } from './files.ts';
import { downgrade, upgrade } from './migrate.ts';
import { schemaDocs } from './schema-docs.ts';
import { updateTableTypes } from './table-types.ts';

let database: TestDatabase;
let directory: string;
let remove: () => void;
beforeEach(async () => {
  database = await createTestDatabase();
  ({ directory, remove } = await copiedMigrations());
});
afterEach(async () => {
  await database.close();
  remove();
});

const all = await migrationNames();
const execute = (script: string) => database.maintain((connection) => connection.execute(script));
const withEntity = (entity: EntitySchema) => ({ directory, entities: [...entities, entity] as EntitySchema[] });
const read = (path: string) => readFile(path, 'utf8');

describe('check', () => {
  test('names pending migrations', async () => {
    const empty = await createTestDatabase({ isMigrated: false });
    expect(await check(empty)).toEqual(all.map((name) => `${name}: not applied`));
    await empty.close();
  });

  test('names edited migrations and migrations without files', async () => {
    await upgrade(database, { directory });
    const [first = ''] = all;
    await writeFile(join(directory, `${first}.down.sql`), 'select 1;\n');
    expect(await check(database, { directory })).toEqual([`${first}: the files were edited after they were applied`]);
    await execute(`insert into schema_migrations values ('9001_newer', 'x')`);
    expect(await check(database)).toEqual(['9001_newer: applied, but the files are missing']);
  });

  const drifts: [what: string, drift: string, line: string][] = [
    ['a column', 'alter table tasks add column drift_only int', 'table tasks: column drift_only integer'],
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
      'drop index idx_tasks_user_id_created_at; create index idx_tasks_user_id_created_at on tasks (user_id)',
      'CREATE INDEX idx_tasks_user_id_created_at',
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
      'a policy that admits everybody',
      'alter policy tasks_owner on tasks using (true)',
      'policy tasks_owner permissive for all to quoin_app using true',
    ],
    [
      'disabled row level security',
      'alter table tasks disable row level security',
      'table tasks: row level security off',
    ],
    [
      'row level security that is not forced',
      'alter table documents no force row level security',
      'table documents: row level security on',
    ],
    ['an extra privilege', 'grant update on users to quoin_app', 'quoin_app may'],
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

  test('reports every kind of difference', async () => {
    expect(await check(database)).toEqual([]);
    for (const [, drift] of drifts) await execute(drift);
    const found = (await check(database)).join('\n');
    for (const [what, , line] of drifts) expect(found, what).toContain(line);
  });
});

describe('revision', () => {
  test('revision writes nothing if entities and migrations agree', async () => {
    expect(await revision('Nothing', { directory })).toBeUndefined();
    expect(await readdir(directory)).toHaveLength(2 * all.length);
  });

  test('revision writes a migration, up and down, after which there is no difference', async () => {
    // Without the migrations that create tables, every entity is a difference. What policies and indexes need remains.
    const [first = '', ...others] = all;
    for (const name of others) for (const kind of ['up', 'down']) await rm(join(directory, `${name}.${kind}.sql`));
    const functions = [
      'quoin_user_email() returns text',
      'quoin_organization_id() returns uuid',
      'quoin_organization_role() returns text',
      'quoin_member_id() returns uuid',
      'quoin_user_organization_ids() returns uuid[]',
    ];
    const needed = [
      'create extension pg_trgm',
      ...functions.map((one) => `create function ${one} language plpgsql as $$ begin return null; end $$`),
    ].join(';');
    await writeFile(join(directory, '0002_needed.up.sql'), needed);
    await writeFile(
      join(directory, '0002_needed.down.sql'),
      'drop function quoin_user_email(), quoin_organization_id(), quoin_organization_role(), quoin_member_id(), quoin_user_organization_ids(); drop extension pg_trgm;',
    );
    const written = await revision('All the tables: again!', { directory });
    expect(written).toMatchObject({ name: '0003_all_the_tables_again', renames: [] });
    const up = await read(written?.path ?? '');
    expect(up).toContain('Does old code keep working');
    expect(up).toContain('\n  "title" varchar(200) not null,\n');
    expect(await revision('Once more', { directory })).toBeUndefined();
    const empty = await createTestDatabase({ isMigrated: false });
    expect(await upgrade(empty, { directory })).toEqual([first, '0002_needed', written?.name]);
    const { tables } = await empty.inspect(readCatalog);
    expect(tables.map(({ name }) => name)).toEqual(
      [...entities.map(({ meta }) => meta.tableName), 'schema_migrations'].sort(),
    );
    await downgrade(empty, { directory });
    expect((await empty.inspect(readCatalog)).tables.map(({ name }) => name)).toEqual(['schema_migrations']);
    await empty.close();
  });

  test('grants the roles their privileges on a new table', async () => {
    const note = defineEntity({
      name: 'Scrap',
      tableName: 'scraps',
      properties: { id: p.uuid().primary(), user: () => p.manyToOne(UserSchema), text: p.text() },
      ...ownedBy('scraps', 'user_id'),
    });
    const written = await revision('Scraps', withEntity(note));
    const up = await read(written?.path ?? '');
    expect(up).toContain('alter table "scraps" force row level security');
    expect(up.match(/^grant .*$/gm)).toEqual([
      'grant select, insert, update, delete on "scraps" to quoin_app;',
      'grant select, insert, update, delete on "scraps" to quoin_system;',
    ]);
    expect((await read(join(directory, `${written?.name}.down.sql`))).trim()).toBe(
      'drop table if exists "scraps" cascade;',
    );
    await upgrade(database, { directory });
    expect(await check(database, withEntity(note))).toEqual([]);
  });

  test('grants only the command of a policy for one command', async () => {
    const notice = defineEntity({
      name: 'Notice',
      tableName: 'notices',
      properties: { id: p.uuid().primary(), text: p.text() },
      rowLevelSecurity: 'force',
      policies: [{ name: 'notices_read', command: 'select', roles: ['quoin_app'], using: 'true' }],
    });
    const written = await revision('Notices', withEntity(notice));
    expect((await read(written?.path ?? '')).match(/^grant .*$/gm)).toEqual([
      'grant select on "notices" to quoin_app;',
    ]);
  });

  test('checks and policies that PostgreSQL stores in another form are no difference', async () => {
    const rating = defineEntity({
      name: 'Rating',
      tableName: 'ratings',
      properties: { id: p.uuid().primary(), stars: p.integer(), user: () => p.manyToOne(UserSchema) },
      checks: [{ name: 'chk_ratings_stars', expression: 'stars between 1 and 5' }],
      ...ownedBy('ratings', 'user_id'),
    });
    await revision('Ratings', withEntity(rating));
    expect(await revision('Ratings again', withEntity(rating))).toBeUndefined();
    await upgrade(database, { directory });
    expect(await check(database, withEntity(rating))).toEqual([]);
  });

  test('revision keeps the width of a vector and the operator class of its index', async () => {
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
    const written = await revision('Things', withEntity(thing));
    const up = await read(written?.path ?? '');
    expect(up).toContain('"embedding" vector(768) null');
    expect(up).toContain('using hnsw ("embedding" vector_cosine_ops) with (m = 24)');
    await upgrade(database, { directory });
    expect(await check(database, withEntity(thing))).toEqual([]);
    await execute(
      'drop index idx_things_embedding; create index idx_things_embedding on things using hnsw (embedding vector_l2_ops)',
    );
    expect((await check(database, withEntity(thing))).join('\n')).toContain('vector_l2_ops');
  });

  test('reports statements that rename, because renaming is a guess', async () => {
    const file = join(directory, `${all[2]}.up.sql`);
    await writeFile(file, (await read(file)).replaceAll('is_completed', 'is_done'));
    const written = await revision('Rename', { directory });
    expect(written?.renames.join()).toMatch(/rename column "is_done" to "is_completed"/);
  });

  test('revision rejects a message without letters and digits', async () => {
    await expect(revision('…', { directory })).rejects.toThrow('needs at least one letter');
  });
});

test('docs/schema.md matches the database', async () => {
  expect(await schemaDocs(database)).toBe(await read('docs/schema.md'));
});

test('schema/tables.ts matches the migrations', async () => {
  expect(await updateTableTypes({ isCheck: true })).toBe(false);
});
