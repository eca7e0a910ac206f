import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, keptOpen, runInProcess, type TestDatabase } from '../../testing/test-database.ts';
import { dbCommand } from './cli.ts';

describe('npm run db', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ isMigrated: false });
  });
  afterEach(() => database.close());
  const db = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    runInProcess(dbCommand({}, keptOpen(database)), args, { env });

  test('upgrades, downgrades and upgrades again, after which check finds no difference', async () => {
    expect((await db(['current'])).stdout).toBe('base\n');
    expect((await db(['upgrade'])).stdout).toMatch(/^applied 0001_roles_and_extension\n/);
    expect((await db(['upgrade'])).stdout).toContain('nothing to apply');
    expect((await db(['history'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT.*_roles_and_extension\n/);
    expect((await db(['downgrade', '--to', 'base'])).code).toBe(0);
    expect((await db(['downgrade'])).stdout).toContain('nothing to revert');
    const pending = await db(['check']);
    expect(pending).toMatchObject({ code: 1, stdout: expect.stringContaining('_roles_and_extension: not applied\n') });
    expect((await db(['upgrade'])).code).toBe(0);
    expect(await db(['check'])).toMatchObject({ code: 0, stdout: 'database, migrations and entities agree\n' });
  });

  test('seeds accounts repeatedly, but not in production', async () => {
    expect(await db(['seed'], { NODE_ENV: 'production' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not run in production'),
    });
    for (const command of ['seed', 'docs']) {
      expect(await db([command])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^\d+ migrations are pending: run npm run db -- upgrade first\n$/),
      });
    }
    await db(['upgrade']);
    const seeded = await db(['seed', '--users', '1200']);
    expect(seeded.stdout).toContain('1201 new accounts: admin@example.com, user1@example.com to user1200@example.com');
    expect(seeded.stderr).toBe('500 of 1200 users\n1000 of 1200 users\n1200 of 1200 users\n');
    expect((await db(['seed', '--users', '3'])).stdout).toMatch(/^0 new accounts/);
  });

  test('archive writes each complete month of the audit trail once, and leaves the current one', async () => {
    await db(['upgrade']);
    const directory = mkdtempSync(join(tmpdir(), 'quoin-archive-'));
    try {
      const insert = `insert into audit_events (id, action, created_at) select quoin_first_id_at(time), 'signed_in', time from unnest($1::timestamptz[]) time`;
      await database.maintain((connection) =>
        connection.query(insert, [
          ['2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00Z', '2026-02-10T00:00:00Z', new Date().toISOString()],
        ]),
      );
      const archive = () => db(['archive', '--directory', directory, '--before', '2026-03']);
      const files = ['audit-events-2026-01.ndjson.gz', 'audit-events-2026-02.ndjson.gz'];
      expect((await archive()).stdout).toBe(files.map((file) => `wrote ${join(directory, file)}\n`).join(''));
      expect((await archive()).stdout).toBe('nothing to write: every complete month has its file\n');
      const lines = files.map((file) =>
        gunzipSync(readFileSync(join(directory, file)))
          .toString()
          .trimEnd()
          .split('\n'),
      );
      expect(lines.map((all) => all.length)).toEqual([1, 2]);
      expect(JSON.parse(lines[1]?.[1] ?? '')).toMatchObject({
        action: 'signed_in',
        created_at: '2026-02-10T00:00:00+00:00',
      });
      await db(['archive', '--directory', directory]);
      expect(readdirSync(directory)).not.toContain(`audit-events-${new Date().toISOString().slice(0, 7)}.ndjson.gz`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('distribute fails with a hint if Citus is not installed', async () => {
    await db(['upgrade']);
    const { code, stderr } = await db(['distribute']);
    expect(code).toBe(1);
    expect(stderr).toContain('no extension citus');
    expect(stderr).toContain('docs/scaling.md');
  });

  test.each<[string[], number, string]>([
    [['archive'], 2, '--directory is missing'],
    [['archive', '--directory', '.', '--before', '2026'], 2, '--before must be a month'],
    [['upgrade', '--to', 'nothing'], 1, 'there is no migration nothing'],
    [['seed', '--users', 'many'], 2, '--users must be a whole number'],
    [['revision'], 2, 'a message is missing'],
    [['fly'], 2, 'unknown command: fly'],
    [['check', '--loud'], 2, 'loud'],
    [[], 2, 'Usage'],
  ])('%j fails with a message and an exit code', async (args, code, message) => {
    const answer = await db(args);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(message);
    expect(answer.stderr).not.toMatch(/\n {4}at /);
  });

  test('--help and -h print the usage with an example for every command', async () => {
    expect(await db(['upgrade', '-h'])).toEqual(await db(['--help']));
    expect(await db(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Example: npm run db') });
  });
});

test('npm run db reports the reason if a server is unreachable', async () => {
  const refused = await runInProcess(dbCommand(), ['check'], { env: { DATABASE_URL: 'postgres://127.0.0.1:9/x' } });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
});
