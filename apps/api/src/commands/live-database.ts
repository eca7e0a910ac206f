import type { Database } from '@quoin/db';
import type { Config } from '../config/config.ts';

// Checks of a running PostgreSQL server for `npm run doctor`. They read statistics and at most a thousand entries of an index, so they take as long on a large
// database as on an empty one.

/** What to look at, and what to do about it. */
export interface Observation {
  subject: string;
  /** Empty: nothing to report. */
  findings: string[];
}

type Row = Record<string, string | number | boolean | null>;
type Query = (text: string, values?: unknown[]) => Promise<Row[]>;

/** Looks at the live database. */
export async function observeDatabase(database: Database, config: Config): Promise<Observation[]> {
  const query: Query = async (text, values) =>
    (await database.inspect((connection) => connection.query<Row>(text, values))).rows;
  const checks: Record<string, (query: Query, config: Config) => Promise<string[]>> = {
    indexes,
    'dead rows': deadRows,
    bloat,
    retention,
    connections,
    transactions,
    replication,
  };
  const observations: Observation[] = [];
  for (const [subject, check] of Object.entries(checks))
    observations.push({ subject, findings: await check(query, config) });
  return observations;
}

async function indexes(query: Query): Promise<string[]> {
  const missing = await query(`
    select conrelid::regclass::text as table, conname as name
    from pg_constraint f join pg_class t on t.oid = conrelid
    where contype = 'f' and t.relnamespace = 'public'::regnamespace and not t.relispartition and not exists (
      select from pg_index i where i.indrelid = f.conrelid and i.indisvalid and i.indkey[0] = f.conkey[1])`);
  const invalid = await query(`
    select indexrelid::regclass::text as name from pg_index join pg_class t on t.oid = indrelid
    where not indisvalid and t.relnamespace = 'public'::regnamespace`);
  return [
    ...missing.map(
      ({ table, name }) =>
        `${table}: no index begins with the column of the foreign key ${name}, so a deletion reads the whole table`,
    ),
    ...invalid.map(({ name }) => `${name} is invalid, from a failed create index concurrently: drop it`),
  ];
}

async function deadRows(query: Query): Promise<string[]> {
  const rows = await query(`
    select relname as table, n_dead_tup as dead, round(100.0 * n_dead_tup / (n_live_tup + n_dead_tup)) as percent,
      coalesce(greatest(last_vacuum, last_autovacuum)::timestamp(0)::text, 'never') as vacuumed
    from pg_stat_user_tables where n_dead_tup > 100000 and n_dead_tup > 0.3 * n_live_tup order by n_dead_tup desc`);
  return rows.map(
    ({ table, dead, percent, vacuumed }) =>
      `${table}: ${dead} dead rows (${percent} %), last vacuum ${vacuumed}: is autovacuum on, and is a transaction old?`,
  );
}

/** Compares the size of tables with what their rows need, by the statistics of the last `analyze`. */
async function bloat(query: Query): Promise<string[]> {
  const rows = await query(`
    select relname as table, pg_size_pretty(actual) as actual, pg_size_pretty(needed::bigint) as needed from (
      select c.relname, pg_relation_size(c.oid) as actual, c.reltuples * (28 + coalesce(sum(s.avg_width), 0)) as needed
      from pg_class c left join pg_stats s on s.schemaname = 'public' and s.tablename = c.relname and not s.inherited
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.reltuples > 0 group by c.oid
    ) sizes where actual > 100 * 1024 * 1024 and actual > 3 * needed order by actual desc`);
  return rows.map(
    ({ table, actual, needed }) =>
      `${table}: ${actual}, of which about ${needed} are rows: pg_repack or vacuum full gives the rest back`,
  );
}

/** Rows that a job should have deleted. */
async function retention(query: Query, { auditRetentionDays }: Config): Promise<string[]> {
  const [row] = await query(
    `select
       (select count(*) from (select from user_sessions where expires_at < now() - interval '8 days' limit 1000) old) as sessions,
       (select count(*) from (select from idempotency_keys where created_at < now() - interval '25 hours' limit 1000) old) as answers,
       (select count(*) from (select from pgboss.job where state < 'active' and start_after < now() - interval '1 hour' limit 1000) old) as jobs,
       (select count(*) from (select from pgboss.job where state = 'failed' limit 1000) failed) as failed,
       (select count(*) from (select from users where deleted_at < now() - interval '1 hour' limit 1000) old) as accounts,
       to_regclass(to_char(now() at time zone 'utc' + interval '1 month', '"audit_events_"YYYY_MM')) is null as is_month_missing,
       $1::int > 0 and exists (select from audit_events where id < quoin_first_id_at(now() - make_interval(days => $1::int + 62))) as events`,
    [auditRetentionDays],
  );
  const many = (count: unknown) => (count === 1000 || count === '1000' ? '1,000 or more' : String(count));
  const texts: [unknown, string][] = [
    [row?.sessions, 'sessions that ended more than a week ago'],
    [row?.answers, 'answers to Idempotency-Keys that are older than a day'],
    [row?.jobs, 'jobs that have been due for more than an hour'],
    [row?.accounts, 'deleted accounts whose rows are still there after an hour'],
  ];
  return [
    ...texts
      .filter(([count]) => Number(count) > 0)
      .map(
        ([count, what]) => `${what}: ${many(count)}. Start a server, or look for failed jobs with npm run jobs -- list`,
      ),
    ...(Number(row?.failed) > 0
      ? [`jobs that failed for good: ${many(row?.failed)}. npm run jobs -- list --state failed shows them`]
      : []),
    ...(row?.is_month_missing
      ? ['audit_events has no partition for the next month: does the job that creates it fail?']
      : []),
    ...(row?.events ? ['audit events two months past AUDIT_RETENTION_DAYS: does the job that drops them fail?'] : []),
  ];
}

async function connections(query: Query, { workers, databasePoolMax }: Config): Promise<string[]> {
  const [row] = await query(`
    select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as accepted,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()) as used`);
  const wanted = workers * databasePoolMax;
  const accepted = Number(row?.accepted);
  if (wanted > accepted)
    return [
      `WORKERS × DATABASE_POOL_MAX is ${wanted}, and the server accepts ${accepted} connections: lower it, or use a pooler`,
    ];
  if (2 * wanted > accepted)
    return [
      `WORKERS × DATABASE_POOL_MAX is ${wanted} of ${accepted} connections (${row?.used} in use), so a second machine, or a deployment beside the old version, does not fit: lower it, or use a pooler`,
    ];
  return [];
}

async function transactions(query: Query): Promise<string[]> {
  const old = await query(`
    select pid, state, round(extract(epoch from now() - xact_start)) as seconds from pg_stat_activity
    where xact_start < now() - interval '5 minutes' and backend_type = 'client backend' order by xact_start limit 5`);
  const prepared = await query(
    `select gid from pg_prepared_xacts where prepared < now() - interval '5 minutes' limit 5`,
  );
  const [age] = await query('select age(datfrozenxid) as age from pg_database where datname = current_database()');
  return [
    ...old.map(
      ({ pid, state, seconds }) =>
        `process ${pid} (${state}) has a transaction open for ${seconds} s, so vacuum keeps the rows that died since: end it with select pg_terminate_backend(${pid})`,
    ),
    ...prepared.map(({ gid }) => `the prepared transaction ${gid} is neither committed nor rolled back`),
    ...(Number(age?.age) > 1_000_000_000
      ? [`the oldest row is ${age?.age} transactions old: vacuum freeze before 2 billion`]
      : []),
  ];
}

async function replication(query: Query): Promise<string[]> {
  const slots = await query(`
    select slot_name as name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as kept
    from pg_replication_slots where not pg_is_in_recovery() and not active and restart_lsn is not null`);
  const standbys = await query(`
    select application_name as name, round(extract(epoch from replay_lag)) as seconds from pg_stat_replication
    where replay_lag > interval '30 seconds'`);
  const [synchronous] = await query(`
    select current_setting('synchronous_standby_names') as names,
      (select count(*)::int from pg_stat_replication where sync_state in ('sync', 'quorum')) as connected`);
  return [
    ...slots.map(
      ({ name, kept }) =>
        `no standby uses the replication slot ${name}, which keeps ${kept} of log: drop it, or the disk fills up`,
    ),
    ...standbys.map(({ name, seconds }) => `the standby ${name} is ${seconds} s behind`),
    ...(synchronous?.names && !synchronous.connected
      ? [`synchronous_standby_names is ${synchronous.names} and no such standby is connected, so every commit waits`]
      : []),
  ];
}
