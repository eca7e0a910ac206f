import { createTestDatabase, newScope, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testEnvironment } from '../../testing/test-app.ts';
import { parseConfig } from '../config/config.ts';
import { observeDatabase } from './live-database.ts';

describe.runIf(testServerUrl)('a running server', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());

  const execute = (script: string) => database.maintain((connection) => connection.execute(script));
  const observe = async (variables: NodeJS.ProcessEnv = {}) => {
    const observations = await observeDatabase(database, parseConfig(testEnvironment(variables)));
    return Object.fromEntries(observations.map(({ subject, findings }) => [subject, findings]));
  };
  const server = { DATABASE_URL: 'postgres://127.0.0.1/x' };

  test('doctor reports nothing for a new database', async () => {
    const { indexes, bloat, retention, replication } = await observe({ DATABASE_POOL_MAX: '1' });
    expect({ indexes, bloat, retention, replication }).toEqual({
      indexes: [],
      bloat: [],
      retention: [],
      replication: [],
    });
  });

  test('doctor reports a foreign key without an index', async () => {
    await execute('create table notes (id int primary key, user_id uuid constraint fk_notes_user_id references users)');
    expect((await observe()).indexes).toEqual([expect.stringContaining('fk_notes_user_id')]);
    await execute('create index on notes (user_id)');
    expect((await observe()).indexes).toEqual([]);
  });

  test('doctor counts rows that a job should have deleted', async () => {
    const { owner } = await newScope(database);
    await execute(`
      insert into user_sessions (id, user_id, token_secret, expires_at) values (gen_random_uuid(), '${owner.userId}', '', now() - interval '9 days');
      insert into pgboss.queue (name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_seconds, deletion_seconds, partition, table_name)
        values ('x', 'standard', 1, 1, true, 1, 1, 1, false, 'job_common');
      insert into pgboss.job (name, state, start_after) values ('x', 'created', now() - interval '2 hours'), ('x', 'failed', now());
      insert into idempotency_keys values ('${owner.userId}', '', '', 200, '{}', null, now() - interval '26 hours');
      update users set deleted_at = now() - interval '2 hours' where id = '${owner.userId}'`);
    const texts = [
      'sessions that ended',
      'answers to',
      'jobs that have been due',
      'deleted accounts',
      'jobs that failed',
    ];
    expect((await observe()).retention).toEqual(
      texts.map((text) => expect.stringMatching(new RegExp(`^${text}.*: 1\\.`))),
    );
  });

  test('doctor reports events past AUDIT_RETENTION_DAYS, and a missing partition', async () => {
    await execute(
      `insert into audit_events (id, action, created_at) values (quoin_first_id_at('2020-01-01'), 'signed_in', '2020-01-01')`,
    );
    const { rows } = await database.inspect((connection) =>
      connection.query<{ name: string }>(
        `select to_char(now() at time zone 'utc' + interval '1 month', '"audit_events_"YYYY_MM') as name`,
      ),
    );
    await execute(`drop table ${rows[0]?.name}`);
    expect((await observe({ AUDIT_RETENTION_DAYS: '30' })).retention).toEqual(
      expect.arrayContaining([
        expect.stringContaining('AUDIT_RETENTION_DAYS'),
        expect.stringContaining('no partition for the next month'),
      ]),
    );
  });

  test('doctor warns if WORKERS × DATABASE_POOL_MAX exceeds max_connections', async () => {
    const { connections } = await observe({ ...server, WORKERS: '10', DATABASE_POOL_MAX: '1000' });
    expect(connections).toEqual([expect.stringContaining('10000')]);
  });
});
