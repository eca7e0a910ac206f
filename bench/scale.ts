import { type Connection, connect, type Database, migrations, type Scope } from '@quoin/db';
import { observeDatabase } from '../apps/api/src/commands/live-database.ts';
import { readConfig } from '../apps/api/src/config/config.ts';
import { deleteMarkedAccounts } from '../apps/api/src/users/account-deletion.ts';
import { median, printHelp } from './tools.ts';

// Fills a database with many accounts and measures what grows with it. Prints a table: each operation with a tenth of the rows, and with all of them.

printHelp(`Usage: DATABASE_URL=… npm run -s bench:scale -- [MILLIONS]

Fills an empty database with 2 million users, 5 million sessions, 10 million tasks and 10 million audit events (MILLIONS of each of the last two: 10), which
takes 10 GB and up to an hour. The role must be a superuser, to insert rows without checking each foreign key. Then measures the operations of users and admins.

Example: DATABASE_URL=postgresql://admin@127.0.0.1/scale npm run -s bench:scale -- 1
`);
const millions = Number(process.argv[2] ?? 10);
const runsTotal = 15;
const heavyShare = 0.035;
const url = process.env.DATABASE_URL ?? '';
if (!/^postgres/.test(url)) throw new Error('DATABASE_URL must be the URL of a PostgreSQL server');

const statements: { text: string; isOwner: boolean }[] = [];
const database = await connect(url, {
  observe: (text, run) => {
    if (/^(select|insert|update|delete|with)/i.test(text.trim())) statements.push({ text, isOwner: isOwnerWork });
    return run();
  },
});
let isOwnerWork = false;

/** Ids in order of time, from a number: two years of rows. */
const functions = `
create or replace function scale_id(number bigint, total bigint, salt text) returns uuid language sql immutable parallel safe as $$
  select (substr(quoin_first_id_at(timestamptz '2024-11-01' + number * (interval '730 days' / total))::text, 1, 14) || '7' ||
    substr(md5(salt || number)::uuid::text, 16))::uuid $$;`;

const rowsOf = (share: number) => ({
  users: Math.round(millions * 200_000 * share),
  sessions: Math.round(millions * 500_000 * share),
  tasks: Math.round(millions * 1_000_000 * share),
  events: Math.round(millions * 1_000_000 * share),
});

/** Inserts the rows from the last fill up to this share. User 1 has the first 3.5 % of all tasks. */
async function fill(connection: Connection, from: number, to: number): Promise<void> {
  const [low, high, all] = [rowsOf(from), rowsOf(to), rowsOf(1)];
  const user = (number: string) => `scale_id(${number}, ${all.users}, 'u')`;
  const someUser = (number: string) =>
    `1 + (('x' || substr(md5('o' || ${number}), 1, 8))::bit(32)::bigint % ${high.users})`;
  const series = (kind: keyof typeof low) => `generate_series(${low[kind] + 1}, ${high[kind]}) n`;
  const parts = [
    `insert into users (id, email, password_hash, full_name, email_verified_at)
     select ${user('n')}, 'user-' || n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$' || md5(n::text) || '$' || md5(n::text), 'User ' || n, now() from ${series('users')}`,
    `insert into user_sessions (id, user_id, token_secret, user_agent, ip_address, expires_at)
     select scale_id(n, ${all.sessions}, 's'), ${user(someUser('n'))}, decode(md5(n::text) || md5(n::text), 'hex'), 'Mozilla/5.0 (X11; Linux x86_64)',
       ('10.' || n % 250 || '.' || n / 250 % 250 || '.1')::inet, now() + interval '30 days' from ${series('sessions')}`,
    `insert into tasks (id, user_id, title, description, is_completed)
     select scale_id(n, ${all.tasks}, 't'), case when n <= ${all.tasks * heavyShare} then ${user('1')} else ${user(someUser('n'))} end,
       'Task ' || md5(n::text), case when n % 2 = 0 then repeat('words of the description ', 4) end, true from ${series('tasks')}`,
    `insert into audit_events (id, action, user_id, actor_id, ip_address, user_agent, request_id, created_at)
     select id, 'signed_in', owner, owner, ('10.' || n % 250 || '.' || n / 250 % 250 || '.1')::inet, 'Mozilla/5.0 (X11; Linux x86_64)', gen_random_uuid()::text, timestamptz '2024-11-01' + n * (interval '730 days' / ${all.events})
     from ${series('events')}, lateral (select scale_id(n, ${all.events}, 'e') as id, ${user(someUser('n'))} as owner) ids`,
  ];
  await connection.execute(`set session_replication_role = replica; ${functions}`);
  for (const part of parts) await connection.execute(part);
  await connection.execute('set session_replication_role = default');
  await connection.execute('vacuum analyze');
}

interface Operation {
  name: string;
  limitMs: number;
  run: () => Promise<unknown>;
  isOwner?: boolean;
}

interface PlanNode {
  'Node Type'?: string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

const seqScans = (node: PlanNode): string[] => [
  ...(node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : []),
  ...(node.Plans ?? []).flatMap(seqScans),
];

/** Returns the tables of more than a thousand rows that a plan reads whole. */
async function wholeReads(text: string, isOwner: boolean): Promise<string[]> {
  return database.maintain(async (connection) => {
    const settings = `set local app.user_id = '${crypto.randomUUID()}'; set local role quoin_app`;
    await connection.execute(`begin${isOwner ? `; ${settings}` : ''}`);
    try {
      const { rows } = await connection.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
        `explain (generic_plan, format json) ${text}`,
      );
      const names = rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => seqScans(Plan)));
      const large = await connection.query<{ relname: string }>(
        'select relname from pg_class where relname = any($1) and reltuples > 1000',
        [names],
      );
      return large.rows.map(({ relname }) => relname);
    } finally {
      await connection.execute('rollback');
    }
  });
}

async function measure(operations: Operation[]): Promise<Map<string, { ms: number; reads: string[] }>> {
  const results = new Map<string, { ms: number; reads: string[] }>();
  for (const { name, run, isOwner = false } of operations) {
    const times: number[] = [];
    statements.length = 0;
    isOwnerWork = isOwner;
    for (let n = 0; n < runsTotal; n++) {
      const begin = performance.now();
      await run();
      times.push(performance.now() - begin);
    }
    const texts = [...new Set(statements.map(({ text }) => text))].filter((text) => !/set_config|^select 1/.test(text));
    const reads = (await Promise.all(texts.map((text) => wholeReads(text, isOwner)))).flat();
    results.set(name, { ms: median(times), reads: [...new Set(reads)] });
  }
  return results;
}

async function operationsOf(database: Database): Promise<Operation[]> {
  const one = async (text: string) => {
    const { rows } = await database.inspect((connection) => connection.query<{ id: string }>(text));
    return rows[0]?.id ?? '';
  };
  const { users, userSessions, auditEvents, mails, idempotencyKeys } = database.system();
  const scopeOf = (userId: string): Scope => ({
    actor: { userId, sessionId: userId, authenticatedAt: new Date() },
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
    user('every request: find the session', () => userSessions.findAlive([session], alive), false),
    user('list sessions', () => database.as(light).userSessions.listAlive(alive)),
    user('first page of tasks', () => tasks(light).list(page)),
    user('first page of tasks, user with 3.5 % of all, all old', () => tasks(heavy).list(page)),
    user('page 4,000 of these', () => tasks(heavy).list({ ...page, after: oldest })),
    user('skip 10,000 of these', () => tasks(heavy).list({ ...page, skip: 10_000 })),
    user('search these for a rare text', async () => {
      await tasks(heavy).list({ ...page, q: 'no such text' });
      await tasks(heavy).lastScanned(undefined);
    }),
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
    { name: 'job: mails', run: () => mails.claim(now, now, 10), limitMs: 2_000 },
    { name: 'job: old answers', run: () => idempotencyKeys.deleteBefore(new Date(0), 1_000), limitMs: 2_000 },
    {
      name: 'job: addresses of 5,000 events',
      run: () => auditEvents.removePersonalData(new Date('2026-06-01'), 5_000),
      limitMs: 2_000,
    },
    { name: 'doctor', run: () => observeDatabase(database, readConfig()), limitMs: 2_000 },
  ];
}

const timed = async (work: () => Promise<unknown>) => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};

console.error('migrating');
await migrations.upgrade(database);
const results = [];
for (const [from, to] of [
  [0, 0.1],
  [0.1, 1],
] as const) {
  console.error(`filling up to ${to * 100} %`);
  await database.maintain((connection) => fill(connection, from, to));
  console.error('measuring');
  results.push(await measure(await operationsOf(database)));
}
const { rows: sizes } = await database.inspect((connection) =>
  connection.query<Record<string, string>>(`
    select split_part(relname, '_20', 1) as table, pg_size_pretty(sum(pg_table_size(oid))) as table_size, pg_size_pretty(sum(pg_indexes_size(oid))) as index_size,
      round(sum(pg_total_relation_size(oid)) / greatest(sum(reltuples)::numeric, 1)) as bytes_per_row
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace group by 1 having sum(reltuples) > 1000 order by sum(pg_total_relation_size(oid)) desc`),
);
const [small, large] = results;
const operations = await operationsOf(database);
console.log('| operation | a tenth, ms | all, ms | ratio | reads whole tables |\n| --- | --- | --- | --- | --- |');
for (const { name, limitMs } of operations) {
  const [few, many] = [small?.get(name)?.ms ?? 0, large?.get(name)?.ms ?? 0];
  const text = `${many.toFixed(1)}${many > limitMs ? ` (over ${limitMs})` : ''}`;
  console.log(
    `| ${name} | ${few.toFixed(1)} | ${text} | ${(many / few).toFixed(1)} | ${large?.get(name)?.reads.join(', ') || 'no'} |`,
  );
}
const heavyId = (await database.system().users.findByEmail('user-1@example.com'))?.id ?? '';
console.log(
  `\nDELETE of the account with 3.5 % of the tasks: ${(await timed(() => database.system().deletedAccounts.mark(heavyId, new Date()))).toFixed(1)} ms; the job afterwards: ${((await timed(() => deleteMarkedAccounts(database))) / 1000).toFixed(1)} s`,
);
console.log('\n| table | rows | indexes | bytes per row |\n| --- | --- | --- | --- |');
for (const row of sizes) console.log(`| ${row.table} | ${row.table_size} | ${row.index_size} | ${row.bytes_per_row} |`);
await database.close();
