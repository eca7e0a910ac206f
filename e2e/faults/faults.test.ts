import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect, type Database, migrations } from '@quoin/db';
import pg from 'pg';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { requireWrk } from '../../bench/tools.ts';
import { startProxy, viaPort } from '../proxy.ts';
import { newDirectory, ownPostgres, send, startServer } from '../server.ts';
import { finish, type Row, rows, signUp, startLoad } from './load.ts';

const run = promisify(execFile);

let serverUrl: string;
let databaseUrl: string;
let database: Database;
let directory: ReturnType<typeof newDirectory>;
let server: Awaited<ReturnType<typeof startServer>> | undefined;
let accounts = 0;

beforeAll(async () => {
  serverUrl = await ownPostgres('start');
  const name = `quoin_faults_${process.pid}`;
  const client = new pg.Client(serverUrl);
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  databaseUrl = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  database = await connect(databaseUrl);
  await migrations.upgrade(database);
});
afterAll(async () => {
  await database.close();
  const client = new pg.Client(serverUrl);
  await client.connect();
  await client.query(`drop database ${new URL(databaseUrl).pathname.slice(1)} with (force)`);
  await client.end();
  await ownPostgres('stop');
  console.table(rows.map(({ failures, ...row }) => ({ ...row, failures: JSON.stringify(failures) })));
});
beforeEach(() => {
  directory = newDirectory();
});
afterEach(async () => {
  server?.kill('SIGKILL');
  await server?.exited;
  server = undefined;
  directory.remove();
});

const start = async (more: Record<string, string> = {}) => {
  server = await startServer({ cwd: directory.path, env: { DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn', ...more } });
  const token = await signUp(server.url, `user-${accounts++}@example.com`);
  return { url: server.url, token, server };
};
const children = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function expectNothingLost(row: Row) {
  expect(row['writes found']).toBe(row['writes acknowledged']);
  expect(row.doubled).toBe(0);
  expect(row['writes acknowledged']).toBeGreaterThan(0);
}
const kinds = ({ failures }: Row) => Object.keys(failures).sort();

test('a stopped database: 503 with Retry-After, and recovery within 2 s', async () => {
  const { url, token } = await start();
  const load = startLoad(url, token);
  await wait(2000);
  await ownPostgres('stop');
  await wait(3000);
  expect((await send(`${url}/health`)).status).toBe(200);
  expect((await send(`${url}/health/ready`)).status).toBe(503);
  await ownPostgres('start');
  const since = performance.now();
  await wait(4000);
  const row = await finish('database restarted', load, { url, token, since });
  expect(kinds(row)).toEqual(['503']);
  expect(load.withoutRetryAfter).toEqual([]);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
});

test('terminated backends', async () => {
  const { url, token } = await start();
  const load = startLoad(url, token);
  await database.maintain(async (connection) => {
    for (let n = 0; n < 30; n++) {
      await wait(100);
      await connection.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = current_user and pid <> pg_backend_pid() order by random() limit 2`,
      );
    }
  });
  const since = performance.now();
  await wait(2000);
  const row = await finish('backends terminated', load, { url, token, since });
  // If a connection ends during a commit, its outcome is unknown. Only such requests are answered with 503.
  expect(kinds(row).filter((kind) => kind !== '503')).toEqual([]);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
});

test('the server accepts no more connections', async () => {
  const held = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const client = new pg.Client(databaseUrl);
      await client.connect();
      return client;
    }),
  );
  const limit = (count: number) =>
    database.maintain((connection) =>
      connection.execute(`alter database ${new URL(databaseUrl).pathname.slice(1)} connection limit ${count}`),
    );
  await limit(16);
  try {
    const { url, token } = await start();
    const load = startLoad(url, token, { clients: 32 });
    await wait(4000);
    for (const client of held) await client.end();
    await limit(-1);
    const since = performance.now();
    await wait(3000);
    const row = await finish('connections at the limit', load, { url, token, since });
    expect(kinds(row).filter((kind) => kind !== '503')).toEqual([]);
    expect(row['seconds to recover']).toBeLessThanOrEqual(2);
    expectNothingLost(row);
  } finally {
    await limit(-1);
  }
});

test('a silent network to the database', async () => {
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(serverUrl).port) });
  const { url, token } = await start({ DATABASE_URL: viaPort(databaseUrl, proxy.port) });
  const load = startLoad(url, token);
  await wait(2000);
  proxy.fallSilent();
  await wait(8000);
  // The process stays alive.
  expect((await send(`${url}/health`)).status).toBe(200);
  proxy.recover();
  const since = performance.now();
  await wait(4000);
  const row = await finish('network silent for 8 s', load, { url, token, since });
  expect(kinds(row).filter((kind) => kind !== '503')).toEqual([]);
  expect(load.withoutRetryAfter).toEqual([]);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
  await proxy.close();
});

test('one of two workers killed', async () => {
  const { url, token, server } = await start({ WORKERS: '2' });
  await expect.poll(() => children(server.pid).length, { timeout: 10_000 }).toBe(2);
  await wait(2000);
  const load = startLoad(url, token);
  await wait(1500);
  process.kill(children(server.pid)[0] ?? 0, 'SIGKILL');
  const since = performance.now();
  await wait(4000);
  const row = await finish('one of two workers killed', load, { url, token, since });
  // Requests in that worker get no answer. All later ones do.
  expect(kinds(row).filter((kind) => kind !== 'network')).toEqual([]);
  expect(row.failures.network ?? 0).toBeLessThanOrEqual(16);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
});

test('SIGTERM to one of two workers under load fails no request', async () => {
  const { url, token, server } = await start({ WORKERS: '2', SHUTDOWN_DELAY_SECONDS: '0.5' });
  await expect.poll(() => children(server.pid).length, { timeout: 10_000 }).toBe(2);
  await wait(2000);
  const load = startLoad(url, token);
  await wait(1000);
  process.kill(children(server.pid)[0] ?? 0, 'SIGTERM');
  await wait(4000);
  const row = await finish('SIGTERM to a worker under load', load, { url, token });
  expect(kinds(row)).toEqual([]);
  expectNothingLost(row);
});

test('four rolling restarts in 60 s of load fail no request', async () => {
  const { url, token, server } = await start({ WORKERS: '2', SHUTDOWN_DELAY_SECONDS: '0.5' });
  await expect.poll(() => children(server.pid).length, { timeout: 10_000 }).toBe(2);
  await wait(2000);
  const load = startLoad(url, token);
  for (let restart = 0; restart < 4; restart++) {
    const before = children(server.pid);
    server.kill('SIGHUP');
    await wait(14_000);
    expect(children(server.pid).filter((pid) => before.includes(pid))).toEqual([]);
  }
  await wait(4000);
  const row = await finish('four rolling restarts in 60 s', load, { url, token });
  expect(kinds(row)).toEqual([]);
  expectNothingLost(row);
});

test('the old version works while a migration of the new one is applied', async () => {
  const { url, token } = await start();
  const load = startLoad(url, token);
  await wait(1500);
  const newer = newDirectory();
  const tables = ['users', 'user_sessions', 'tasks', 'mails', 'one_time_tokens', 'audit_events', 'documents'];
  cpSync('packages/db/src/migrations', newer.path, { recursive: true });
  const statements = (action: string) => tables.map((table) => `alter table ${table} ${action};\n`).join('');
  writeFileSync(join(newer.path, '9001_expand.up.sql'), statements('add column added int null'));
  writeFileSync(join(newer.path, '9001_expand.down.sql'), statements('drop column added'));
  await migrations.upgrade(database, { directory: newer.path });
  expect((await send(`${url}/health/ready`)).status).toBe(200);
  expect((await send(`${url}/api/v1/auth/password/forgot`, { body: { email: 'user-0@example.com' } })).status).toBe(
    202,
  );
  await wait(3000);
  await migrations.downgrade(database, { directory: newer.path });
  await wait(1000);
  newer.remove();
  const row = await finish('two versions side by side', load, { url, token });
  expect(kinds(row)).toEqual([]);
  expectNothingLost(row);
});

test('without Redis, each process has its own rate limits and no request fails', async () => {
  const redisUrl = execFileSync('scripts/redis.sh', ['start'], { encoding: 'utf8' }).trim();
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(redisUrl).port) });
  const { url, token, server } = await start({
    REDIS_URL: viaPort(redisUrl, proxy.port),
    RATE_LIMIT: 'true',
    // The load is one user's.
    USER_REQUESTS_PER_MINUTE: '1000000',
  });
  const load = startLoad(url, token);
  await wait(1500);
  await proxy.close();
  const login = () => send(`${url}/api/v1/auth/login`, { body: { email: 'nobody@example.com', password: 'wrong' } });
  const statuses = new Set<number>();
  for (let n = 0; n < 30; n++) statuses.add((await login()).status);
  const row = await finish('Redis gone', load, { url, token });
  expect(kinds(row)).toEqual([]);
  // Guesses are still throttled.
  expect([...statuses].sort()).toEqual([401, 429]);
  expect(server.output.stdout).toContain('Redis');
  expectNothingLost(row);
});

test('without SMTP, mails arrive later, once', async () => {
  const received: string[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, session, done) => {
      stream.resume().on('end', () => {
        received.push(...session.envelope.rcptTo.map(({ address }) => address));
        done();
      });
    },
  });
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  const smtpPort = (smtp.server.address() as AddressInfo).port;
  const proxy = await startProxy({ host: '127.0.0.1', port: smtpPort });
  const proxyPort = proxy.port;
  await proxy.close();
  const { url, token } = await start({ SMTP_URL: `smtp://127.0.0.1:${proxyPort}` });
  const emails = Array.from({ length: 10 }, (_, n) => `mail-${n}-${accounts}@example.com`);
  const load = startLoad(url, token);
  for (const email of emails) await signUp(url, email);
  await wait(3000);
  expect(received).toEqual([]);
  const again = await startProxy({ host: '127.0.0.1', port: smtpPort }, { port: proxyPort });
  const since = performance.now();
  await expect
    .poll(() => emails.every((email) => received.includes(email)), { timeout: 60_000, interval: 200 })
    .toBe(true);
  const seconds = Math.round(performance.now() - since) / 1000;
  await wait(6000);
  expect(emails.filter((email) => received.filter((to) => to === email).length !== 1)).toEqual([]);
  const row = await finish(`SMTP gone (10 mails ${seconds} s after its return)`, load, { url, token });
  expect(kinds(row)).toEqual([]);
  expectNothingLost(row);
  await again.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
});

test('a full disk of the embedded database', async () => {
  // A separate file system, which only root can create.
  const disk = newDirectory();
  await run('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', disk.path]);
  try {
    server = await startServer({ cwd: disk.path, env: { LOG_LEVEL: 'warn' } });
    const { url } = server;
    const token = await signUp(url, 'embedded@example.com');
    const ballast = join(disk.path, 'ballast');
    const free = async () => Number((await run('df', ['--output=avail', '-B1', disk.path])).stdout.split('\n')[1]);
    writeFileSync(ballast, Buffer.alloc((await free()) - 4 * 1024 * 1024));
    const acknowledged: string[] = [];
    const failures: Record<string, number> = {};
    const write = async () => {
      const documents = `${url}/api/v1/users/me/documents`;
      const { status, body } = await send(documents, {
        body: { title: 'Full', content: randomBytes(40_000).toString('hex') },
        token,
      });
      if (status === 201) acknowledged.push(body.id);
      else failures[status] = (failures[status] ?? 0) + 1;
      return status;
    };
    for (let n = 0; n < 400 && (failures['503'] ?? 0) < 5; n++) await write();
    expect(Object.keys(failures)).toEqual(['503']);
    expect((await send(`${url}/health`)).status).toBe(200);
    rmSync(ballast);
    const since = performance.now();
    await expect.poll(write, { timeout: 10_000 }).toBe(201);
    const seconds = Math.round(performance.now() - since) / 1000;
    let found = 0;
    for (const id of acknowledged)
      if ((await send(`${url}/api/v1/users/me/documents/${id}`, { token })).status === 200) found += 1;
    const requests = acknowledged.length + (failures['503'] ?? 0);
    rows.push({
      fault: 'disk of the embedded database full',
      requests,
      failures,
      'seconds to recover': seconds,
      'writes acknowledged': acknowledged.length,
      'writes found': found,
    });
    expect(found).toBe(acknowledged.length);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    server?.kill('SIGKILL');
    await run('umount', ['--lazy', disk.path]);
    disk.remove();
  }
});

test('memory after 200,000 requests is at most 1.2 times that after 20,000', async () => {
  await requireWrk();
  const { url, token, server } = await start({ LOG_LEVEL: 'error' });
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
  let total = 0;
  const until = async (count: number) => {
    while (total < count) {
      const { stdout } = await run('wrk', [
        '-t1',
        '-c32',
        '-d2s',
        '-H',
        `Authorization: Bearer ${token}`,
        `${url}/api/v1/users/me`,
      ]);
      expect(stdout).not.toContain('Non-2xx');
      total += Number(/(\d+) requests in/.exec(stdout)?.[1]);
    }
  };
  await until(20_000);
  const early = { requests: total, mib: Math.round(rss()) };
  await until(200_000);
  const late = { requests: total, mib: Math.round(rss()) };
  console.info(`RSS: ${early.mib} MiB after ${early.requests} requests, ${late.mib} MiB after ${late.requests}`);
  expect(late.mib / early.mib).toBeLessThanOrEqual(1.2);
});
