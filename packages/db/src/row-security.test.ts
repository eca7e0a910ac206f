import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, newScope, type TestDatabase } from '../testing/test-database.ts';
import { readCatalog } from './migrate/catalog.ts';
import { appPrivileges, defaultPrivileges } from './schema/privileges.ts';
import type { OrganizationScope, Scope } from './scope.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const newUser = () => newScope(database);
const titles = async (scope: Scope) =>
  (await database.as(scope).tasks.list({ limit: 10 })).rows.map(({ title }) => title);

const newJob = {
  policy: 'standard',
  priority: 0,
  retry_limit: 1,
  retry_delay: 1,
  retry_delay_max: 1,
  expire_seconds: 60,
  heartbeat_seconds: 60,
  deletion_seconds: 60,
} as const;

describe('row level security', () => {
  test('row level security limits a query without a where clause to the rows of the user', async () => {
    const [mine, theirs] = [await newUser(), await newUser()];
    const { userId } = mine.owner;
    await database.as(mine).tasks.create({ title: 'Mine' });
    await database.as(theirs).tasks.create({ title: 'Theirs' });
    const careless = await database.maintain(async (connection) => {
      await connection.execute(`begin; set local role quoin_app; select set_config('app.user_id', '${userId}', true)`);
      const seen = await connection.query<{ title: string }>('select title from tasks');
      const changed = await connection.query(`update tasks set title = 'Changed'`);
      const accounts = await connection.query('select id from users');
      const deleted = await connection.query('delete from tasks');
      await connection.execute('commit');
      return { seen: seen.rows, changed: changed.affectedRows, accounts: accounts.rows, deleted: deleted.affectedRows };
    });
    expect(careless).toEqual({ seen: [{ title: 'Mine' }], changed: 1, accounts: [{ id: userId }], deleted: 1 });
    expect(await titles(theirs)).toEqual(['Theirs']);
  });

  test('row level security hides another user’s task from every method, as if it did not exist', async () => {
    const [mine, theirs] = [await newUser(), await newUser()];
    const { id } = await database.as(theirs).tasks.create({ title: 'Theirs' });
    const { tasks } = database.as(mine);
    expect([
      await tasks.find(id),
      await tasks.update(id, { title: 'Taken' }),
      await tasks.delete(id),
      (await tasks.list({ limit: 10 })).rows,
    ]).toEqual([undefined, undefined, false, []]);
    const planted = database.inspect((connection) =>
      connection.queryWith(
        { userId: mine.owner.userId },
        `insert into tasks (id, user_id, title) values ($1, $2, 'Planted')`,
        [randomUUID(), theirs.owner.userId],
      ),
    );
    await expect(planted).rejects.toThrow(/row-level security/);
    expect(await titles(theirs)).toEqual(['Theirs']);
  });

  test('row level security shows no rows if no user is set', async () => {
    await database.as(await newUser()).tasks.create({ title: 'Mine' });
    const seen = await database.maintain(async (connection) => {
      await connection.execute('begin; set local role quoin_app');
      const { rows } = await connection.query('select id from tasks');
      await connection.execute('rollback');
      return rows;
    });
    expect(seen).toEqual([]);
  });

  test('a user’s unit of work cannot grant admin rights or delete the account row', async () => {
    const mine = await newUser();
    const { userId } = mine.owner;
    await expect(database.as(mine).account.update({ is_admin: true })).rejects.toThrow(/permission denied/);
    const deletion = database.inspect((connection) => connection.queryWith({ userId }, 'delete from users', []));
    await expect(deletion).rejects.toThrow(/permission denied/);
  });

  test('the user of row level security ends with the unit of work', async () => {
    const [one, other] = [await newUser(), await newUser()];
    await database.as(one).tasks.create({ title: 'One' });
    for (let n = 0; n < 20; n++) {
      expect(await titles(other)).toEqual([]);
      expect(await titles(one)).toEqual(['One']);
    }
  });

  test('a user’s unit of work can queue mail to that user only', async () => {
    const [scope, other] = [await newUser(), await newUser()];
    const emailOf = async ({ owner }: Scope) => (await database.system().users.find(owner.userId))?.email ?? '';
    const [own, stranger] = [await emailOf(scope), await emailOf(other)];
    const create = (recipient: string) =>
      database.as(scope).jobs.enqueue([{ ...newJob, name: 'send-mail', data: { recipient } }]);
    await create(own);
    for (const recipient of [stranger, 'nobody@example.com'])
      await expect(create(recipient)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('row level security of an organization', () => {
  const newMember = async () => {
    const user = await newUser();
    const { id } = await database.system().organizations.create({ name: 'Masons', slug: null }, user.owner.userId);
    return { ...user, owner: { organizationId: id } };
  };
  const document = () => ({ id: randomUUID(), title: 'Plan', content: 'Of the wall.', metadata: {}, embedding: null });
  /** Runs a statement without a condition as the member, and rolls it back. */
  const runUnfiltered = (scope: OrganizationScope, statement: string) =>
    database.maintain(async (connection) => {
      await connection.execute(
        `begin; set local app.organization_id = '${scope.owner.organizationId}'; set local app.member_id = '${scope.actor.userId}'; set local role quoin_app`,
      );
      try {
        const { rows, affectedRows } = await connection.query(statement);
        return { rows, affectedRows };
      } finally {
        await connection.execute('rollback');
      }
    });

  test('in an organization, row level security limits a query without a where clause to the rows of the organization', async () => {
    const [mine, theirs] = [await newMember(), await newMember()];
    const own = { ...mine, owner: { userId: mine.actor.userId } };
    await database.as(mine).documents.create([document()]);
    await database.as(theirs).documents.create([document()]);
    await database.as(own).documents.create([document()]);
    await database.as(own).tasks.create({ title: 'Mine' });
    const { organizationId: organization_id } = mine.owner;
    expect((await runUnfiltered(mine, 'select organization_id from organization_documents')).rows).toEqual([
      { organization_id },
    ]);
    expect((await runUnfiltered(mine, `update organization_documents set title = 'x'`)).affectedRows).toBe(1);
    expect((await runUnfiltered(mine, 'delete from organization_documents')).affectedRows).toBe(1);
    expect((await runUnfiltered(mine, 'select organization_id from memberships')).rows).toEqual([{ organization_id }]);
    expect((await runUnfiltered(mine, 'select id from organizations')).rows).toEqual([{ id: organization_id }]);
    for (const table of ['documents', 'tasks', 'users', 'user_sessions'])
      expect([table, (await runUnfiltered(mine, `select * from ${table}`)).rows]).toEqual([table, []]);
  });

  test('row level security shows nothing of an organization to a user who is not a member', async () => {
    const mine = await newMember();
    await database.as(mine).documents.create([document()]);
    const stranger = { ...(await newUser()), owner: mine.owner };
    for (const table of ['organizations', 'memberships', 'invitations', 'organization_documents', 'audit_events'])
      expect([table, (await runUnfiltered(stranger, `select * from ${table}`)).rows]).toEqual([table, []]);
    await expect(database.as(stranger).documents.create([document()])).rejects.toThrow(/row-level security/);
    expect((await database.as(stranger).members.list({ limit: 10 })).length).toBe(0);
  });

  test('a member cannot make another user a member', async () => {
    const [member, other] = [await newMember(), await newUser()];
    const { organizationId } = member.owner;
    const refused = runUnfiltered(
      member,
      `insert into memberships (organization_id, user_id, role) values ('${organizationId}', '${other.owner.userId}', 'member')`,
    );
    await expect(refused).rejects.toMatchObject({ code: '42501' });
  });

  test('the organization of row level security ends with the unit of work', async () => {
    const [one, other] = [await newMember(), await newMember()];
    await database.as(one).documents.create([document()]);
    const count = async (scope: OrganizationScope) =>
      (await database.as(scope).documents.list({ limit: 9 }, 1e6)).rows.length;
    for (let n = 0; n < 10; n++) expect([await count(other), await count(one)]).toEqual([0, 1]);
  });

  test('public reads are refused for tables that no policy makes public', async () => {
    const run = (statement: string) =>
      database.inspect(({ queryWith }) => queryWith({ isPublic: true }, statement, []));
    for (const table of ['users', 'tasks', 'documents', 'organizations', 'organization_documents'])
      await expect(run(`select from ${table}`)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the job queue', () => {
  test('a user’s unit of work enqueues jobs of that user only', async () => {
    const [scope, other] = [await newUser(), await newUser()];
    await database.as(scope).jobs.enqueue([{ ...newJob, name: 'work', data: {}, user_id: other.owner.userId }]);
    const found = await database.system().jobs.list({ name: 'work', limit: 10 });
    expect(found.map(({ group_id }) => group_id)).toEqual([scope.owner.userId]);
  });

  test.each(['select from pgboss.job', 'delete from pgboss.job', 'update pgboss.queue set policy = policy'])(
    'a user’s unit of work may not run: %s',
    async (statement) => {
      const refused = database.maintain(async (connection) => {
        await connection.execute('begin; set local role quoin_app');
        try {
          await connection.query(statement);
        } finally {
          await connection.execute('rollback');
        }
      });
      await expect(refused).rejects.toMatchObject({ code: '42501' });
    },
  );

  test('roles other than those of the units of work may not enqueue jobs', async () => {
    const { rows } = await database.inspect((connection) =>
      connection.query<{ grantee: string }>(
        `select coalesce(nullif(grantee, 0)::regrole::text, 'public') as grantee from pg_proc, aclexplode(proacl)
         where oid = 'quoin_enqueue(jsonb)'::regprocedure and grantee <> proowner`,
      ),
    );
    expect(rows.map(({ grantee }) => grantee).sort()).toEqual(['quoin_app', 'quoin_system']);
  });
});

describe('the catalogue', () => {
  test('every table has forced row level security and a policy', async () => {
    const { tables } = await database.inspect(readCatalog);
    const unprotected = tables
      .filter(({ name }) => name !== 'schema_migrations')
      .filter(({ row_security, policies }) => row_security !== 'forced' || policies.length === 0);
    expect(unprotected.map(({ name }) => name)).toEqual([]);
  });

  test('every table with an owner column has an owner policy', async () => {
    const { tables } = await database.inspect(readCatalog);
    const owned = tables.filter(
      ({ name, columns }) => name === 'users' || columns.some((one) => one.name === 'user_id'),
    );
    expect(owned.length).toBeGreaterThan(4);
    const unprotected = owned.filter(
      ({ policies }) =>
        !policies.some(
          ({ definition }) => /to quoin_app\b/.test(definition) && definition.includes('SELECT quoin_user_id()'),
        ),
    );
    expect(unprotected.map(({ name }) => name)).toEqual([]);
  });

  test('every table with rows of an organization has a policy that checks membership, and its keys contain the organization', async () => {
    // The audit trail outlives organizations. An API key belongs to its user. A token finds an invitation.
    const without = ['audit_events', 'api_keys', 'invitations'];
    const { tables } = await database.inspect(readCatalog);
    const owned = tables.filter(({ columns }) => columns.some((one) => one.name === 'organization_id'));
    expect(owned.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['memberships', 'organization_documents', ...without]),
    );
    for (const { name, policies, constraints, indexes } of owned) {
      const isChecked = policies.some(
        ({ definition }) => /to quoin_app\b/.test(definition) && definition.includes('SELECT quoin_organization_id()'),
      );
      expect([name, isChecked]).toEqual([name, name !== 'api_keys']);
      // Rows that a user shares with an organization stay those of the user.
      const isShared = constraints.some(({ definition }) => definition.startsWith('PRIMARY KEY (user_id, id)'));
      if (without.includes(name) || isShared) continue;
      const keys = [
        ...constraints.filter(({ type }) => type === 'primary key' || type === 'unique'),
        ...indexes.filter(({ definition }) => definition.startsWith('CREATE UNIQUE')),
      ];
      expect([name, keys.filter(({ definition }) => !definition.includes('organization_id'))]).toEqual([name, []]);
    }
  });

  test('tables of a user’s rows can be distributed by owner: every key contains the owner', async () => {
    // The audit trail outlives the accounts, and admins read all of it. A challenge exists before anybody has said who they are, and
    // an identity says who they are.
    const foundWithoutOwner = ['audit_events', 'challenges', 'identities'];
    const { tables } = await database.inspect(readCatalog);
    const owned = tables
      .filter(({ columns }) => columns.some((one) => one.name === 'user_id'))
      .filter(({ name }) => !foundWithoutOwner.includes(name));
    expect(owned.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['tasks', 'documents', 'user_preferences', 'user_sessions', 'one_time_tokens']),
    );
    for (const { name, constraints, indexes } of owned) {
      const keys = constraints.filter(({ type }) => type === 'primary key' || type === 'unique');
      const unique = indexes.filter(({ definition }) => definition.startsWith('CREATE UNIQUE'));
      const without = [...keys, ...unique].filter(({ definition }) => !/\(.*\buser_id\b.*\)/.test(definition));
      expect([name, without]).toEqual([name, []]);
    }
  });

  test('quoin_app has exactly the privileges of schema/privileges.ts', async () => {
    const { tables } = await database.inspect(readCatalog);
    const words = (text = '') =>
      text.replace(/\(([^)]*)\)/, (_, list: string) => `(${list.split(', ').sort().join(', ')})`);
    for (const { name, privileges } of tables.filter(({ name }) => name !== 'schema_migrations')) {
      const granted = privileges.find((one) => one.name === 'quoin_app')?.definition ?? '';
      const columns = [...granted.matchAll(/(\w+) \((\w+)\)/g)];
      const byColumn = Object.groupBy(columns, ([, privilege = '']) => privilege);
      const whole = granted.split(', ').filter((one) => !one.includes('('));
      const partial = Object.entries(byColumn).map(
        ([privilege, some = []]) =>
          `${privilege} (${some
            .map(([, , column]) => column)
            .sort()
            .join(', ')})`,
      );
      const expected = words(appPrivileges[name] ?? defaultPrivileges);
      expect([name, [...whole, ...partial].sort()]).toEqual([name, expected.split(/, (?![^(]*\))/).sort()]);
    }
  });
});
