import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createTestDatabase,
  newScope,
  scopeOf,
  type TestDatabase,
  testAdminUrl,
  testPoolerUrl,
  testServerUrl,
} from '../../testing/test-database.ts';
import { connect } from '../connect.ts';
import { DatabaseUnavailable, StatementTimeout } from '../errors.ts';
import { newId } from '../new-id.ts';
import type { OwnerRepositories } from '../repositories/repositories.ts';
import type { Scope } from '../scope.ts';

describe.runIf(testServerUrl)('a pool of connections to a server', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());

  const rows = async (text: string, values: unknown[] = []) =>
    (await database.inspect((connection) => connection.query(text, values))).rows;
  const backends = (own: TestDatabase, text: string) =>
    database.maintain((connection) => connection.query(text, [new URL(own.url).pathname.slice(1)]));
  const terminateAll = (own: TestDatabase) =>
    // Not those of other roles: autovacuum can be in this database, and only a superuser may terminate it.
    backends(
      own,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = current_user',
    );
  const waiting = `from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
  const untilWaiting = (own: TestDatabase, count = 1) =>
    expect.poll(async () => (await backends(own, `select ${waiting}`)).rows.length).toBe(count);

  test('replaces connections that ended while idle without an error for any caller', async () => {
    const own = await createTestDatabase();
    try {
      for (let round = 0; round < 5; round++) {
        await Promise.all(Array.from({ length: 10 }, () => own.ping()));
        await terminateAll(own);
        const answers = await Promise.all(Array.from({ length: 10 }, () => own.system().users.list({ limit: 1 })));
        expect(answers).toEqual(Array.from({ length: 10 }, () => []));
      }
    } finally {
      await own.close();
    }
  });

  test('repeats a transaction once, as a whole, if its connection ends before the commit', async () => {
    const own = await createTestDatabase();
    try {
      let runs = 0;
      const email = `${randomUUID()}@example.com`;
      const user = await own.system().transaction(async ({ users }) => {
        runs += 1;
        const created = await users.create({ email, password_hash: 'x' });
        if (runs === 1) await terminateAll(own);
        await users.find(created.id);
        return created;
      });
      expect(runs).toBe(2);
      expect(await own.system().users.list({ limit: 10 })).toMatchObject([{ id: user.id, email }]);
    } finally {
      await own.close();
    }
  });

  test('repeats each read of a shared connection that ends', async () => {
    const own = await createTestDatabase();
    try {
      const scope = await newScope(own);
      await own.maintain(async (holder) => {
        await holder.execute('begin; lock table tasks in access exclusive mode');
        const reads = Array.from({ length: 6 }, () => own.as(scope).tasks.list({ limit: 1 }));
        await untilWaiting(own);
        await backends(own, `select pg_terminate_backend(pid) ${waiting}`);
        await holder.execute('rollback');
        expect(await Promise.all(reads)).toEqual(Array(6).fill({ rows: [] }));
      });
    } finally {
      await own.close();
    }
  });

  test('a write is not repeated when its connection ends, because its outcome is unknown', async () => {
    const own = await createTestDatabase();
    try {
      const scope = await newScope(own);
      const create = () => own.as(scope).tasks.create({ title: 'One' });
      await own.maintain(async (holder) => {
        await holder.execute('begin');
        // The foreign key makes the insert wait for the row of the user.
        await holder.query('select from users where id = $1 for update', [scope.owner.userId]);
        const refused = expect(create()).rejects.toThrow('the connection was lost during the commit');
        await untilWaiting(own);
        await backends(own, `select pg_terminate_backend(pid) ${waiting}`);
        await refused;
        await holder.execute('rollback');
      });
      expect((await own.as(scope).tasks.list({ limit: 10 })).rows).toEqual([]);
      expect(await create()).toMatchObject({ title: 'One' });
    } finally {
      await own.close();
    }
  });

  test('other callers can read and write while a write waits for a lock', async () => {
    const own = await createTestDatabase();
    try {
      const [scope, ...strangers] = [await newScope(own), await newScope(own), await newScope(own)];
      await own.maintain(async (holder) => {
        await holder.execute('begin');
        await holder.query('select from users where id = $1 for update', [scope.owner.userId]);
        // In one event-loop turn, so that they would share a connection.
        const write = own.as(scope).tasks.create({ title: 'Waits' });
        const reads = strangers.flatMap((stranger) => [
          own.as(stranger).tasks.list({ limit: 1 }),
          own.as(stranger).tasks.find(randomUUID()),
          own.as(stranger).tasks.delete(randomUUID()),
        ]);
        // They resolve before the lock is released.
        expect(await Promise.all(reads)).toEqual([{ rows: [] }, undefined, false, { rows: [] }, undefined, false]);
        await untilWaiting(own);
        await holder.execute('rollback');
        expect(await write).toMatchObject({ title: 'Waits' });
        expect([await write]).toMatchObject((await own.as(scope).tasks.list({ limit: 10 })).rows);
      });
    } finally {
      await own.close();
    }
  });

  test('a write on a server that became read-only is repeated on a new connection', async () => {
    const own = await createTestDatabase();
    const pooled = await connect(own.directUrl, { poolMax: 1 });
    try {
      const scope = await newScope(own);
      const demote = () =>
        pooled.inspect((connection) => connection.execute('set session characteristics as transaction read only'));
      await demote();
      expect(await pooled.as(scope).tasks.create({ title: 'Alone' })).toMatchObject({ title: 'Alone' });
      await demote();
      const work = pooled.as(scope).transaction(({ tasks }) => tasks.create({ title: 'In a transaction' }));
      expect(await work).toMatchObject({ title: 'In a transaction' });
      await demote();
      await pooled.ping();
      // A server that stays read-only is not available.
      await own.maintain((connection) =>
        connection.execute(
          `do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`,
        ),
      );
      await demote();
      await expect(pooled.as(scope).tasks.create({ title: 'Nowhere' })).rejects.toThrow(DatabaseUnavailable);
      await expect(pooled.ping()).rejects.toThrow(DatabaseUnavailable);
    } finally {
      await pooled.close();
      await own.close();
    }
  });

  test('writes of a new pool wait for a lock of their table', async () => {
    const own = await createTestDatabase();
    const pooled = await connect(own.url, {
      poolMax: 2,
      ...(testPoolerUrl && { prepare: false, directUrl: own.directUrl }),
    });
    try {
      const scope = await newScope(own);
      await own.maintain(async (holder) => {
        await holder.execute('begin; lock table tasks in access exclusive mode');
        // More than one per connection, so that some are prepared before the preparation of the first one has failed.
        const writes = Array.from({ length: 16 }, (_, n) => pooled.as(scope).tasks.create({ title: `${n}` }));
        // Longer than a write on a shared connection waits.
        const patient = `select ${waiting} and clock_timestamp() - query_start > interval '50 ms'`;
        await expect.poll(async () => (await backends(own, patient)).rows.length).toBe(2);
        await holder.execute('rollback');
        await Promise.all(writes);
      });
      const writes = Array.from({ length: 16 }, (_, n) => pooled.as(scope).tasks.create({ title: `${n} again` }));
      await Promise.all(writes);
      expect((await own.as(scope).tasks.list({ limit: 100 })).rows).toHaveLength(32);
    } finally {
      await pooled.close();
      await own.close();
    }
  });

  test.skipIf(testPoolerUrl)(
    'replaces a connection whose prepared statement became stale, and repeats the statement',
    async () => {
      const own = await createTestDatabase();
      try {
        const scope = await newScope(own);
        const { tasks } = own.as(scope);
        const work = () =>
          Promise.all([
            tasks.list({ limit: 5 }),
            tasks.create({ title: 'Before or after' }),
            own
              .as(scope)
              .transaction(async (repositories) => [
                await repositories.tasks.create({ title: 'In a transaction' }),
                await repositories.tasks.list({ limit: 5 }),
              ]),
          ]);
        for (let n = 0; n < 20; n++) await work();
        await own.maintain((connection) =>
          connection.execute('alter table tasks alter column title type varchar(300), add column added int'),
        );
        for (let n = 0; n < 20; n++) await work();
        // No write was lost or repeated.
        const { rows: counted } = await own.inspect((connection) =>
          connection.query('select count(*)::int as n from tasks'),
        );
        expect(counted).toEqual([{ n: 80 }]);
      } finally {
        await own.close();
      }
    },
  );

  test('a new column on a table does not break prepared statements', async () => {
    const own = await createTestDatabase();
    try {
      const claim = () => own.system().challenges.deleteExpired(new Date(), 10);
      const all = () => Promise.all(Array.from({ length: 10 }, claim));
      await all();
      await own.maintain((connection) => connection.execute('alter table challenges add column added int'));
      expect(await all()).toEqual(Array(10).fill(0));
      const read = () => own.inspect((connection) => connection.query('select * from challenges'));
      await Promise.all(Array.from({ length: 10 }, read));
      await own.maintain((connection) => connection.execute('alter table challenges add column another int'));
      // One after the other: the second attempt must not take another stale connection.
      for (let calls = 0; calls < 10; calls++) expect((await read()).rows).toEqual([]);
    } finally {
      await own.close();
    }
  });

  test.skipIf(testPoolerUrl)('prepares one statement for batches of any size', async () => {
    const own = await createTestDatabase();
    const narrow = await connect(own.directUrl, { poolMax: 1 });
    try {
      const scope = await newScope(own);
      const document = { title: 'x', content: 'x', metadata: {}, embedding: null };
      const prepared = async () => {
        const { rows } = await narrow.inspect((connection) =>
          connection.query<{ n: number }>('select count(*)::int as n from pg_prepared_statements'),
        );
        return rows[0]?.n;
      };
      const create = (size: number) =>
        narrow.as(scope).documents.create(Array.from({ length: size }, () => ({ id: newId(), ...document })));
      const importUsers = (size: number) =>
        narrow
          .system()
          .users.createMany(
            Array.from({ length: size }, () => ({ email: `${randomUUID()}@example.com`, password_hash: 'x' })),
          );
      // The first statement of a user goes with settings that are not prepared yet, and is not prepared itself.
      for (const _ of [1, 2]) await create(1);
      await importUsers(1);
      await prepared();
      const before = await prepared();
      for (let size = 2; size < 58; size++) {
        expect(await create(size)).toHaveLength(size);
        expect(await importUsers(size)).toEqual(Array(size).fill(true));
      }
      expect(await prepared()).toBe(before);
    } finally {
      await narrow.close();
      await own.close();
    }
  });

  test.skipIf(testPoolerUrl)('replaces connections that exceed their lifetime', async () => {
    const own = await connect(database.directUrl, { poolMax: 1, lifetimeSeconds: 1 });
    try {
      const pid = async () => {
        const { rows } = await own.inspect((connection) => connection.query('select pg_backend_pid() as pid'));
        return rows[0]?.pid;
      };
      const first = await pid();
      await expect.poll(pid, { interval: 200 }).not.toBe(first);
    } finally {
      await own.close();
    }
  });

  test('cancels a statement over its own limit with StatementTimeout, and the next transaction has no such limit', async () => {
    const scope = await newScope(database);
    await rows(`create function slow_title(text) returns text language sql as 'select $1 || pg_sleep(1)'`);
    await rows(
      `create policy slow on tasks as restrictive for select to quoin_app using (slow_title(title) is not null)`,
    );
    const work = ({ tasks }: OwnerRepositories) => tasks.list({ limit: 1, q: 'x' });
    const limited = () => database.as(scope).transaction(work, { statementMsMax: 50 });
    try {
      await rows(`insert into tasks (id, user_id, title) values ($1, $2, 'x')`, [v7(), scope.owner.userId]);
      await expect(limited()).rejects.toThrow(StatementTimeout);
      await expect(limited()).rejects.not.toThrow(DatabaseUnavailable);
      expect((await database.as(scope).transaction(work)).rows).toHaveLength(1);
    } finally {
      await rows('drop policy slow on tasks');
      await rows('drop function slow_title(text)');
    }
  });

  test.skipIf(testPoolerUrl)('limits statements and idle transactions to 15 s, except for maintenance', async () => {
    const settings = await rows(
      `select current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle`,
    );
    expect(settings).toEqual([{ statement: '15s', idle: '15s' }]);
    const unlimited = await database.maintain((connection) =>
      connection.query(`select current_setting('statement_timeout') as statement`),
    );
    expect(unlimited.rows).toEqual([{ statement: '0' }]);
  });

  test('a statement rejects with DatabaseUnavailable if no server listens', async () => {
    const own = await connect('postgres://nobody:nothing@127.0.0.1:9/nothing');
    await expect(own.ping()).rejects.toThrow(DatabaseUnavailable);
    await own.close();
  });

  test('a statement rejects at once if too many callers wait', async () => {
    const own = await connect(database.directUrl, { poolMax: 1 });
    const [isHeld, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = own.inspect(() => {
      isHeld.resolve();
      return end.promise;
    });
    await isHeld.promise;
    const callers = Array.from({ length: 100 }, () => own.ping());
    await expect.poll(() => own.poolSize().waiting).toBe(100);
    await expect(own.ping()).rejects.toThrow('100 callers are waiting');
    end.resolve();
    await Promise.all([held, ...callers]);
    await own.close();
  });

  test.runIf(testAdminUrl)(
    'where the extension citus is, single statements set their user with `set local`',
    async () => {
      const own = await createTestDatabase();
      const admin = Object.assign(new URL(testAdminUrl ?? ''), { pathname: new URL(own.url).pathname });
      const root = await connect(admin.href);
      // Only the name counts: the extension itself is in no package.
      await root.maintain((connection) =>
        connection.execute(`set allow_system_table_mods = on; insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        select 999999, 'citus', 10, 'public'::regnamespace, false, '0'`),
      );
      await root.close();
      const distributed = await connect(own.directUrl, { poolMax: 1 });
      try {
        const [mine, theirs] = [await newScope(distributed), await newScope(distributed)];
        const role = () =>
          distributed.inspect(({ queryWith }) =>
            queryWith(
              { userId: mine.owner.userId },
              `select current_user as role, current_setting('app.user_id') as id`,
              [],
            ),
          );
        const writes = Array.from({ length: 10 }, () => distributed.as(mine).tasks.create({ title: 'Mine' }));
        const planted = distributed.inspect(({ queryWith }) =>
          queryWith({ userId: mine.owner.userId }, `insert into tasks (id, user_id, title) values ($1, $2, 'x')`, [
            v7(),
            theirs.owner.userId,
          ]),
        );
        await expect(planted).rejects.toThrow(/row-level security/);
        await Promise.all(writes);
        expect((await role()).rows).toEqual([{ role: 'quoin_app', id: mine.owner.userId }]);
        expect((await distributed.as(mine).tasks.list({ limit: 20 })).rows).toHaveLength(10);
        expect((await distributed.as(theirs).tasks.list({ limit: 20 })).rows).toEqual([]);
        const after = await distributed.inspect(({ query }) => query('select current_user as role'));
        expect(after.rows).toEqual([{ role: decodeURIComponent(new URL(own.url).username) }]);
      } finally {
        await distributed.close();
        await own.close();
      }
    },
  );

  test('the pool works without prepared statements', async () => {
    const own = await createTestDatabase();
    const unprepared = await connect(own.directUrl, { prepare: false, poolMax: 1 });
    try {
      const { id } = await unprepared.system().users.create({ email: 'a@example.com', password_hash: 'x' });
      await unprepared.as(scopeOf(id)).tasks.create({ title: 'Mine' });
      expect((await unprepared.as(scopeOf(id)).tasks.list({ limit: 10 })).rows).toHaveLength(1);
      expect((await unprepared.as(scopeOf(v7())).tasks.list({ limit: 10 })).rows).toEqual([]);
      const role = unprepared.inspect(({ queryWith }) => queryWith({ userId: id }, 'select current_user as role', []));
      expect((await role).rows).toEqual([{ role: 'quoin_app' }]);
      const prepared = await unprepared.inspect((connection) => connection.query('select from pg_prepared_statements'));
      expect(prepared.rows).toEqual([]);
    } finally {
      await unprepared.close();
      await own.close();
    }
  });

  test('a page far back is read from the index, in order', async () => {
    const scopes: Scope[] = [];
    for (let n = 0; n < 20; n++) scopes.push(await newScope(database));
    const plan = await database.maintain(async (connection) => {
      await connection.query(
        `insert into tasks (id, user_id, title) select gen_random_uuid(), owner, 'x' from unnest($1::uuid[]) owner, generate_series(1, 500)`,
        [scopes.map(({ owner }) => owner.userId)],
      );
      // Without sorting: the question is whether the index has the order, not what the planner prefers for a small table.
      await connection.execute('analyze tasks; set enable_sort = off; set enable_bitmapscan = off');
      return connection.query<{ 'QUERY PLAN': string }>(
        `explain select id from tasks where user_id = '${scopes[7]?.owner.userId}' and id < 'ffffffff-ffff-4fff-bfff-ffffffffffff' order by id desc limit 51`,
      );
    });
    const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(text).toMatch(/Index (Only )?Scan Backward using tasks_pkey on tasks/);
    expect(text).not.toContain('Sort');
  });
});
