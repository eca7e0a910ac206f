import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, newScope, scopeOf, type TestDatabase, testServerUrl } from '../testing/test-database.ts';
import { connect } from './connect.ts';
import { DatabaseUnavailable, violatedConstraint } from './errors.ts';
import type { OwnerRepositories } from './repositories/repositories.ts';
import { requireSession, type Scope } from './scope.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const newUser = () => newScope(database);
const titles = async (scope: Scope) =>
  (await database.as(scope).tasks.list({ limit: 200 })).rows.map(({ title }) => title);
const rows = async (text: string, values: unknown[] = []) =>
  (await database.inspect((connection) => connection.query(text, values))).rows;

describe('a transaction', () => {
  test('commits when its work resolves', async () => {
    const scope = await newUser();
    const task = await database.as(scope).transaction(({ tasks }) => tasks.create({ title: 'Kept' }));
    expect(task).toMatchObject({ title: 'Kept', created_at: expect.any(Date) });
    expect(await titles(scope)).toEqual(['Kept']);
  });

  test('a script that fails in its own transaction leaves the connection usable', async () => {
    for (let n = 0; n < 20; n++)
      await expect(database.execute('begin; select 1 / 0; commit')).rejects.toThrow('division by zero');
    const scope = await newUser();
    await database.as(scope).tasks.create({ title: 'Kept' });
    expect(await titles(scope)).toEqual(['Kept']);
  });

  test('rolls back everything when its work throws', async () => {
    const scope = await newUser();
    const work = database.as(scope).transaction(async ({ tasks }) => {
      await tasks.create({ title: 'Lost' });
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await titles(scope)).toEqual([]);
  });

  test('a transaction rejects when a statement failed, even if its work caught the error', async () => {
    const scope = await newUser();
    const work = database.as(scope).transaction(async ({ tasks }) => {
      await tasks.create({ title: 'Lost' });
      await tasks.create({ title: 'x'.repeat(1_000) }).catch(() => {});
      return 'all is well';
    });
    await expect(work).rejects.toThrow('a statement failed, so the transaction cannot be committed');
    expect(await titles(scope)).toEqual([]);
  });

  test('a transaction inside another one is refused instead of waiting forever for its connection', async () => {
    const scope = await newUser();
    const nested = database.as(scope).transaction(() => database.system().users.find(scope.owner.userId));
    await expect(nested).rejects.toThrow('began inside another one');
    await expect(database.system().transaction(() => database.ping())).rejects.toThrow('began inside another one');
  });

  test('the repositories of a transaction stop working when it ends', async () => {
    const scope = await newUser();
    let kept: OwnerRepositories | undefined;
    await database.as(scope).transaction(async (repositories) => {
      kept = repositories;
    });
    await expect(kept?.tasks.list({ limit: 1 })).rejects.toThrow('has ended');
  });

  test('gets its turn, whatever the number of concurrent ones', async () => {
    const scope = await newUser();
    await Promise.all(Array.from({ length: 100 }, (_, n) => database.as(scope).tasks.create({ title: `Task ${n}` })));
    expect(await titles(scope)).toHaveLength(100);
  });

  test('a transaction rejects with DatabaseUnavailable if no connection becomes free', async () => {
    const own = await createTestDatabase();
    const narrow = testServerUrl ? await connect(own.directUrl, { poolMax: 1 }) : own;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    try {
      const holder = narrow.system().transaction(() => ended);
      await expect(narrow.ping()).rejects.toThrow(DatabaseUnavailable);
      end();
      await holder;
      await narrow.ping();
    } finally {
      if (narrow !== own) await narrow.close();
      await own.close();
    }
  });

  test('a scope whose owner is not a UUID is rejected', () => {
    expect(() => database.as(scopeOf("x'; drop table users; --"))).toThrow('not a UUID');
  });
});

describe('a statement of a repository', () => {
  test('a single statement is a transaction under row level security and leaves no role on its connection', async () => {
    const [one, other] = [await newUser(), await newUser()];
    await database.as(one).tasks.create({ title: 'One' });
    const asked = Array.from({ length: 60 }, (_, n) => {
      if (n % 3 === 0) return titles(one);
      if (n % 3 === 1) return titles(other);
      return rows(
        `select current_user <> 'quoin_app' and coalesce(current_setting('app.user_id', true), '') = '' as is_clean`,
      );
    });
    for (const [n, answer] of (await Promise.all(asked)).entries())
      expect(answer).toEqual([['One'], [], [{ is_clean: true }]][n % 3]);
  });

  test('a failed statement leaves its connection usable', async () => {
    const scope = await newUser();
    const { userId } = scope.owner;
    await database.as(scope).tasks.create({ title: 'Mine' });
    for (let n = 0; n < 3; n++) {
      const failing = database.inspect((connection) => connection.queryWith({ userId }, 'select 1 / 0 from tasks', []));
      await expect(failing).rejects.toThrow('division by zero');
      const wrong = database.inspect((connection) => connection.queryWith({ userId }, 'selec', []));
      await expect(wrong).rejects.toThrow('syntax error');
      expect(await titles(scope)).toEqual(['Mine']);
    }
  });

  test('belongs to its own user when many share connections', async () => {
    const scopes = await Promise.all(Array.from({ length: 12 }, newUser));
    await Promise.all(scopes.map((scope, n) => database.as(scope).tasks.create({ title: `Of ${n}` })));
    const asked = Array.from({ length: 240 }, (_, n) => titles(scopes[n % 12] as Scope));
    for (const [n, answer] of (await Promise.all(asked)).entries()) expect(answer).toEqual([`Of ${n % 12}`]);
  });

  test('a failed statement does not affect others that share its connection', async () => {
    const scope = await newUser();
    const { id } = await database.as(scope).tasks.create({ title: 'Mine' });
    const asked = await Promise.allSettled(
      Array.from({ length: 24 }, (_, n) => database.as(scope).tasks.find(n % 3 === 1 ? 'not a UUID' : id)),
    );
    expect(asked.map(({ status }) => status)).toEqual(
      Array.from({ length: 24 }, (_, n) => (n % 3 === 1 ? 'rejected' : 'fulfilled')),
    );
  });
});

describe('a scope', () => {
  test('names the admin as the actor of an audit event about another user', async () => {
    const [admin, user] = [await newUser(), await newUser()];
    const { userId } = user.owner;
    const scope = scopeOf(userId, { actorId: admin.owner.userId });
    await database.as(scope).auditEvents.create({ action: 'session_ended' });
    expect(await database.system().auditEvents.list({ user_id: userId, limit: 10 })).toMatchObject([
      { user_id: userId, actor_id: admin.owner.userId, session_id: requireSession(scope).sessionId },
    ]);
    expect(await database.as(user).auditEvents.list({ limit: 10 })).toHaveLength(1);
    expect(await database.as(admin).auditEvents.list({ limit: 10 })).toEqual([]);
  });
});

describe('the tables', () => {
  test('keep emails and usernames unique regardless of case, and name the violated constraint', async () => {
    const create = (email: string, username: string | null) =>
      database.system().users.create({ email, username, password_hash: 'x' });
    await create('case@example.com', 'case');
    const violation = (promise: Promise<unknown>) => promise.then(() => 'none', violatedConstraint);
    expect(await violation(create('CASE@example.com', null))).toBe('idx_users_email');
    expect(await violation(create('other@example.com', 'CASE'))).toBe('idx_users_username');
    expect(violatedConstraint(new Error('x'))).toBeUndefined();
    // As Citus reports it, with the number of a shard.
    const message = 'duplicate key value violates unique constraint "idx_users_email_102008"';
    expect(violatedConstraint({ code: '23505', message })).toBe('idx_users_email');
    expect(violatedConstraint({ code: '23505', constraint: 'idempotency_keys_pkey_102014' })).toBe(
      'idempotency_keys_pkey',
    );
  });

  test('maintain updated_at for plain SQL too', async () => {
    const { userId } = (await newUser()).owner;
    const id = v7();
    await database.maintain(async (connection) => {
      const insert = `insert into tasks (id, user_id, title, created_at, updated_at) values ($1, $2, 'Old', '2020-01-01', '2020-01-01')`;
      await connection.query(insert, [id, userId]);
      await connection.query(`update tasks set is_completed = true where id = $1`, [id]);
    });
    const [row] = await rows(
      `select created_at < '2021-01-01' as is_old, updated_at > '2021-01-01' as is_updated from tasks where id = $1`,
      [id],
    );
    expect(row).toEqual({ is_old: true, is_updated: true });
  });

  test('delete the rows of a deleted user', async () => {
    const scope = await newUser();
    const { userId } = scope.owner;
    await database.as(scope).tasks.create({ title: 'Gone' });
    await database.as(scope).userPreferences.change({ theme: 'dark' });
    const { users, deletedAccounts } = database.system();
    expect(await deletedAccounts.mark(userId, new Date())).toBe(true);
    expect(await deletedAccounts.mark(userId, new Date())).toBe(false);
    expect(await users.find(userId)).toBeUndefined();
    await deletedAccounts.delete(userId);
    expect(
      await rows('select from tasks where user_id = $1 union all select from user_preferences where user_id = $1', [
        userId,
      ]),
    ).toEqual([]);
  });

  test('reject an unknown theme, even from plain SQL', async () => {
    const { userId } = (await newUser()).owner;
    const insert = database.maintain((connection) =>
      connection.query(`insert into user_preferences (user_id, theme) values ($1, 'blue')`, [userId]),
    );
    expect(await insert.then(() => 'none', violatedConstraint)).toBe('chk_user_preferences_theme');
  });

  test('find an account by its id, email and username', async () => {
    const email = `${randomUUID()}@example.com`;
    const { users } = database.system();
    const { id } = await users.create({ email, username: 'Find-Me', password_hash: 'x' });
    const found = [
      await users.find(id),
      await users.findByEmail(email.toUpperCase()),
      await users.findByLogin(email),
      await users.findByLogin('FIND-ME'),
    ];
    expect(found.map((user) => user?.id)).toEqual([id, id, id, id]);
    expect(await users.update(id, { is_active: false })).toMatchObject({ is_active: false });
  });
});

test('a column that does not exist does not compile', () => {
  type Row = Awaited<ReturnType<OwnerRepositories['tasks']['create']>>;
  const title: Row['title'] = 'x';
  // @ts-expect-error: there is no such column
  type Missing = Row['no_such_column'];
  expect(title satisfies string | Missing).toBe('x');
});

test('a closed database rejects with DatabaseUnavailable', async () => {
  const own = await createTestDatabase({ isMigrated: false });
  await own.ping();
  await own.close();
  await own.close();
  await expect(own.ping()).rejects.toThrow(DatabaseUnavailable);
  await expect(own.system().transaction(async () => 1)).rejects.toThrow(DatabaseUnavailable);
});
