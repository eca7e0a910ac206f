import { createTestDatabase, type TestDatabase } from '@quoin/db/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { maintainAuditTrail } from './retention.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.close());

const dayMs = 86_400_000;
const daysAgo = (days: number) => new Date(Date.now() - days * dayMs);
const query = <Row>(text: string, values: unknown[] = []) =>
  database.maintain(async (connection) => (await connection.query<Row>(text, values)).rows);
/** Inserts an event of a time. Resolves to its partition. */
const insertAt = async (time: Date, address: string | null = '203.0.113.9') => {
  const [row] = await query<{ partition: string }>(
    `insert into audit_events (id, action, ip_address, user_agent, created_at)
     values ((substr(quoin_first_id_at($1)::text, 1, 24) || substr(gen_random_uuid()::text, 25))::uuid, 'signed_in', $2, 'Mozilla', $1)
     returning tableoid::regclass::text as partition`,
    [time, address],
  );
  return row?.partition;
};
const maintain = (config: { auditRetentionDays?: number; auditPersonalDataDays?: number } = {}) =>
  maintainAuditTrail({
    database,
    config: { auditRetentionDays: 0, auditPersonalDataDays: 0, ...config },
    clock: () => new Date(),
  });
const partitions = async () =>
  (
    await query<{ name: string }>(`select inhrelid::regclass::text as name from pg_inherits
    where inhparent = 'audit_events'::regclass order by 1`)
  ).map(({ name }) => name);
const month = (ahead: number) => new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + ahead, 15));
const nameOf = (time: Date) => `audit_events_${time.toISOString().slice(0, 7).replace('-', '_')}`;

describe('partitions of the audit trail', () => {
  test('every event has the partition of its month, and the next two months exist', async () => {
    expect(await insertAt(daysAgo(400))).toBe('audit_events_before');
    expect(await insertAt(month(1))).toBe(nameOf(month(1)));
    expect(await insertAt(month(2))).toBe(nameOf(month(2)));
    expect(await insertAt(month(30))).toBe('audit_events_default');
    expect(await maintain()).toBe(0);
  });

  test('creating a partition moves its events out of audit_events_default', async () => {
    const name = nameOf(month(2));
    await query(`drop table ${name}`);
    expect(await insertAt(month(2))).toBe('audit_events_default');
    expect(await maintain()).toBe(1);
    const rows = await query(`select from audit_events where tableoid = '${name}'::regclass`);
    expect(rows).toHaveLength(1);
    expect(await query('select from audit_events_default')).toEqual([]);
  });

  test('a partition refuses changes like the whole table', async () => {
    await insertAt(month(1));
    const name = nameOf(month(1));
    for (const statement of [`delete from ${name}`, `update ${name} set ip_address = null`, `truncate ${name}`])
      await expect(query(statement)).rejects.toThrow('append-only');
  });
});

test('months older than AUDIT_RETENTION_DAYS are dropped, and no event of the last 30 days', async () => {
  await insertAt(daysAgo(400));
  await insertAt(daysAgo(1));
  expect(await maintain({ auditRetentionDays: 30 })).toBe(0);
  expect(await partitions()).toContain('audit_events_before');
  await query(`create table audit_events_2020_01 (like audit_events including all)`);
  await query('alter table audit_events detach partition audit_events_before');
  await query('drop table audit_events_before');
  await query(`alter table audit_events attach partition audit_events_2020_01
    for values from ('${'0'.repeat(8)}-0000-0000-0000-000000000000') to ('01704000-0000-0000-0000-000000000000')`);
  await insertAt(new Date('2020-01-05'));
  expect(await maintain({ auditRetentionDays: 365 })).toBeGreaterThanOrEqual(1);
  expect(await partitions()).not.toContain('audit_events_2020_01');
  const [event] = await query<{ details: object }>(
    `select details from audit_events where action = 'audit_events_pruned'`,
  );
  expect(event?.details).toEqual({ partitions: 1, older_than_days: 365 });
  for (const age of ['29 days', '-1000 months 30030 days', '-100 years'])
    await expect(query(`select quoin_drop_audit_partitions('${age}')`)).rejects.toThrow('last 30 days');
  for (const age of ['100 years', '25000 days']) await query(`select quoin_drop_audit_partitions('${age}')`);
  expect(await partitions()).toContain(nameOf(month(1)));
});

describe('AUDIT_PERSONAL_DATA_DAYS', () => {
  const addresses = async () =>
    (
      await query<{ ip_address: string | null; user_agent: string | null }>(
        'select host(ip_address) as ip_address, user_agent from audit_events order by id',
      )
    ).map(({ ip_address, user_agent }) => [ip_address, user_agent]);

  test('older events lose their address and user agent', async () => {
    await insertAt(daysAgo(100));
    await insertAt(daysAgo(91), null);
    await insertAt(daysAgo(89));
    expect(await maintain({ auditPersonalDataDays: 90 })).toBe(2);
    expect(await addresses()).toEqual([
      [null, null],
      [null, null],
      ['203.0.113.9', 'Mozilla'],
    ]);
    expect(await maintain({ auditPersonalDataDays: 90 })).toBe(0);
  });

  test('an update of any other column, or of an event under 30 days old, is refused', async () => {
    await insertAt(daysAgo(29));
    await expect(query('update audit_events set ip_address = null, user_agent = null')).rejects.toThrow('append-only');
    await insertAt(daysAgo(31));
    for (const change of [`action = 'x'`, `ip_address = '192.0.2.1'`, `ip_address = null, details = '{"x":1}'`])
      await expect(
        query(`update audit_events set ${change} where created_at < now() - interval '30 days'`),
      ).rejects.toThrow('append-only');
  });
});
