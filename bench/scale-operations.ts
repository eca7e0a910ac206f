import type { Database, Scope } from '@quoin/db';
import { observeDatabase } from '../apps/api/src/commands/live-database.ts';
import { readConfig } from '../apps/api/src/config/config.ts';

// The operations that bench/scale.ts measures.

export interface Operation {
  name: string;
  limitMs: number;
  run: () => Promise<unknown>;
  isOwner?: boolean;
}

export async function operationsOf(database: Database): Promise<Operation[]> {
  const one = async (text: string) => {
    const { rows } = await database.inspect((connection) => connection.query<{ id: string }>(text));
    return rows[0]?.id ?? '';
  };
  const { users, callers, userSessions, auditEvents, jobs, idempotencyKeys } = database.system();
  const scopeOf = (userId: string): Scope => ({
    actor: { via: 'session', userId, sessionId: userId, authenticatedAt: new Date() },
    owner: { userId },
    isAdmin: false,
  });
  const heavy = scopeOf(await one(`select id from users where email = 'user-1@example.com'`));
  const light = scopeOf(await one(`select id from users where email = 'user-777@example.com'`));
  const session = await one(`select id from user_sessions where user_id = '${light.owner.userId}'`);
  const [oldest, own] = [
    await one(`select id from tasks where user_id = '${heavy.owner.userId}' order by id limit 1`),
    await one(`select id from tasks where user_id = '${light.owner.userId}'`),
  ];
  const request = (
    await database.inspect((connection) =>
      connection.query<{ request_id: string }>(
        `select request_id from audit_events where user_id = '${light.owner.userId}' limit 1`,
      ),
    )
  ).rows[0]?.request_id;
  const now = new Date();
  const alive = { now, idleSince: new Date(0) };
  const page = { limit: 50 };
  const admin =
    <T>(
      work: (repositories: Parameters<Parameters<ReturnType<Database['system']>['transaction']>[0]>[0]) => Promise<T>,
    ) =>
    () =>
      database.system().transaction(work, { statementMsMax: 2_000 });
  const tasks = (scope: Scope) => database.as(scope).tasks;
  const user = (name: string, run: () => Promise<unknown>, isOwner = true): Operation => ({
    name,
    run,
    isOwner,
    limitMs: 50,
  });
  const byAdmin = (name: string, run: () => Promise<unknown>): Operation => ({
    name: `admin: ${name}`,
    run,
    limitMs: 2_000,
  });
  return [
    user('sign in: find the account', () => users.findByLogin('user-777@example.com'), false),
    user(
      'every request: find the session',
      () => callers.find([{ userId: light.owner.userId, sessionId: session }], alive),
      false,
    ),
    user('list sessions', () => database.as(light).userSessions.listAlive(alive)),
    user('first page of tasks', () => tasks(light).list(page)),
    user('first page of tasks, user with 3.5 % of all, all old', () => tasks(heavy).list(page)),
    user('page 4,000 of these', () => tasks(heavy).list({ ...page, after: oldest })),
    user('skip 10,000 of these', () => tasks(heavy).list({ ...page, skip: 10_000 })),
    user('search these for a rare text', () => tasks(heavy).list({ ...page, q: 'no such text' })),
    user('filter these by is_completed, none match', () => tasks(heavy).list({ ...page, is_completed: false })),
    user('get a task', () => tasks(light).find(own)),
    user('create a task', () => tasks(light).create({ title: 'x' })),
    user('change a task', () => tasks(light).update(own, { title: 'y' })),
    user('change preferences', () => database.as(light).userPreferences.change({ theme: 'dark' })),
    user('own audit events', () => database.as(light).auditEvents.list(page)),
    byAdmin(
      'first page of users',
      admin((all) => all.users.list(page)),
    ),
    byAdmin(
      'users by a rare part of the email',
      admin((all) => all.users.list({ ...page, email: 'er-77777@' })),
    ),
    byAdmin(
      'users by a common part of the email',
      admin((all) => all.users.list({ ...page, email: 'example' })),
    ),
    byAdmin(
      'users who are admins',
      admin((all) => all.users.list({ ...page, is_admin: true })),
    ),
    byAdmin(
      'inactive users',
      admin((all) => all.users.list({ ...page, is_active: false })),
    ),
    byAdmin(
      'events, newest',
      admin((all) => all.auditEvents.list(page)),
    ),
    byAdmin(
      'events of a user',
      admin((all) => all.auditEvents.list({ ...page, user_id: light.owner.userId })),
    ),
    byAdmin(
      'events of an actor',
      admin((all) => all.auditEvents.list({ ...page, actor_id: light.owner.userId })),
    ),
    byAdmin(
      'events of an address',
      admin((all) => all.auditEvents.list({ ...page, ip_address: '10.7.7.1' })),
    ),
    byAdmin(
      'event of a request',
      admin((all) => all.auditEvents.list({ ...page, request_id: request })),
    ),
    byAdmin(
      'events of a day by action, none match',
      admin((all) =>
        all.auditEvents.list({
          ...page,
          action: 'account_deleted',
          since: new Date('2026-01-01'),
          until: new Date('2026-01-02'),
        }),
      ),
    ),
    {
      name: 'job: ended sessions',
      run: () => userSessions.deleteEnded('expires_at', new Date('2020-01-01'), 1_000),
      limitMs: 2_000,
    },
    { name: 'look at the job queue', run: () => jobs.waiting(['send-mail', 'embed-documents']), limitMs: 2_000 },
    { name: 'job: old answers', run: () => idempotencyKeys.deleteBefore(new Date(0), 1_000), limitMs: 2_000 },
    {
      name: 'job: addresses of 5,000 events',
      run: () => auditEvents.removePersonalData(new Date('2026-06-01'), 5_000),
      limitMs: 2_000,
    },
    { name: 'doctor', run: () => observeDatabase(database, readConfig()), limitMs: 2_000 },
  ];
}
