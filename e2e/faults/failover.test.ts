import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startProxy } from '../proxy.ts';
import { newDirectory, run, send, startServer } from '../server.ts';
import { startCluster } from './cluster.ts';
import { finish, type Row, rows, signUp, startLoad } from './load.ts';

// Two servers with streaming replication change their roles under load.

let cluster: Awaited<ReturnType<typeof startCluster>>;
let directory: ReturnType<typeof newDirectory>;
let server: Awaited<ReturnType<typeof startServer>> | undefined;
let accounts = 0;

beforeAll(async () => {
  cluster = await startCluster();
  directory = newDirectory();
  // The standby comes first, so that the command has to find the primary.
  const env = { DATABASE_URL: cluster.url(cluster.two, cluster.one) };
  const { code, stderr } = await run('db', ['upgrade'], { cwd: directory.path, env });
  expect(code, stderr).toBe(0);
});
afterAll(async () => {
  await cluster?.stop();
  directory?.remove();
  console.table(rows.map(({ failures, ...row }) => ({ ...row, failures: JSON.stringify(failures) })));
});
beforeEach(() => {
  server = undefined;
});
afterEach(async () => {
  server?.kill('SIGKILL');
  await server?.exited;
});

const start = async (databaseUrl: string) => {
  server = await startServer({ cwd: directory.path, env: { DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn' } });
  const token = await signUp(server.url, `user-${accounts++}@example.com`);
  return { url: server.url, token };
};
/** Starts the server and its load. */
const startUnderLoad = async (databaseUrl: string, options: { clients?: number } = {}) => {
  const { url, token } = await start(databaseUrl);
  const load = startLoad(url, token, options);
  await wait(1500);
  return { url, token, load };
};
const isReady = async (url: string) => (await send(`${url}/health/ready`)).status === 200;

function expectNothingLost(row: Row) {
  expect(row['writes found']).toBe(row['writes acknowledged']);
  expect(row.doubled).toBe(0);
  expect(row['writes acknowledged']).toBeGreaterThan(0);
}
const onlyUnavailable = ({ failures }: Row) => Object.keys(failures).every((kind) => kind === '503');

test('a planned switchover: the other server of DATABASE_URL takes over', async () => {
  const { one, two } = cluster;
  const { url, token, load } = await startUnderLoad(cluster.url(one, two));
  await cluster.demote(one, two);
  const since = performance.now();
  await expect.poll(() => isReady(url)).toBe(true);
  await wait(3000);
  const row = await finish('planned switchover', load, { url, token, since });
  expect(onlyUnavailable(row), JSON.stringify(row)).toBe(true);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
});

test('the primary is killed, and the standby is promoted', async () => {
  const { one, two } = cluster;
  const { url, token } = await start(cluster.url(one, two));
  // Replication is asynchronous, so the writes of the last moment before the kill can be lost on the standby. The load pauses before it.
  const before = startLoad(url, token);
  await wait(1500);
  await before.stop();
  await expect
    .poll(() => two.query('select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()'))
    .toBe('1');
  two.signal('SIGKILL');
  await expect.poll(() => isReady(url)).toBe(false);
  const load = startLoad(url, token);
  await one.promote();
  const since = performance.now();
  await wait(3000);
  const row = await finish('primary killed', load, { url, token, since });
  expect(onlyUnavailable(row), JSON.stringify(row)).toBe(true);
  expect(row['seconds to recover']).toBeLessThanOrEqual(2);
  expectNothingLost(row);
  await cluster.follow(two, one);
});

test('an endpoint that still leads to a demoted server: not ready, and recovery after it moves', async () => {
  const { one, two } = cluster;
  const proxy = await startProxy({ host: '127.0.0.1', port: one.port });
  try {
    const { url, token, load } = await startUnderLoad(cluster.url(proxy));
    await cluster.demote(one, two);
    await expect.poll(() => isReady(url)).toBe(false);
    await wait(2000);
    proxy.moveTo({ host: '127.0.0.1', port: two.port });
    const since = performance.now();
    await expect.poll(() => isReady(url)).toBe(true);
    await wait(3000);
    const row = await finish('endpoint moved later', load, { url, token, since });
    expect(onlyUnavailable(row), JSON.stringify(row)).toBe(true);
    expect(row['seconds to recover']).toBeLessThanOrEqual(2);
    expectNothingLost(row);
  } finally {
    await proxy.close();
  }
});

test('a stalled synchronous standby leaks no backends', async () => {
  const { one, two } = cluster;
  const setting = async (value: string) => {
    await two.query(`alter system set synchronous_standby_names = '${value}'`);
    await two.query('select pg_reload_conf()');
  };
  await setting('*');
  // So many that every connection of the pool has several writes on their way.
  const { url, token, load } = await startUnderLoad(cluster.url(one, two), { clients: 120 });
  const [receiver = 0] = await one.processes('walreceiver');
  process.kill(receiver, 'SIGSTOP');
  const waiting = async () =>
    Number(await two.query(`select count(*) from pg_stat_activity where usename = 'quoin' and wait_event = 'SyncRep'`));
  try {
    let most = 0;
    for (let second = 0; second < 45; second++) {
      await wait(1000);
      most = Math.max(most, await waiting());
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(10);
  } finally {
    process.kill(receiver, 'SIGCONT');
  }
  const since = performance.now();
  await wait(3000);
  expect(await waiting()).toBeLessThanOrEqual(10);
  const row = await finish('standby stalled', load, { url, token, since });
  expect(onlyUnavailable(row), JSON.stringify(row)).toBe(true);
  expectNothingLost(row);
  await setting('');
});

test('the disk of the server is full', async () => {
  const { two } = cluster;
  const { url, token, load } = await startUnderLoad(cluster.url(two));
  // A file system of its own for one table is full; the rest of the cluster has space.
  const mount = `${two.data}-disk`;
  execFileSync('install', ['-d', '-o', 'postgres', '-m', '700', mount]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700', 'tmpfs', mount]);
  try {
    execFileSync('chown', ['postgres', mount]);
    await two.query(`create tablespace small location '${mount}'`);
    await two.query('alter table tasks set tablespace small', 'quoin');
    writeFileSync(`${mount}/filler`, Buffer.alloc(64 * 1024 * 1024));
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  }
  try {
    await expect.poll(() => load.failures['503'] ?? 0).toBeGreaterThan(0);
    expect((await send(`${url}/api/v1/users/me`, { token })).status).toBe(200);
    rmSync(`${mount}/filler`);
    const since = performance.now();
    await wait(2000);
    const row = await finish('disk full', load, { url, token, since });
    expect(onlyUnavailable(row), JSON.stringify(row)).toBe(true);
    expect(row['seconds to recover']).toBeLessThanOrEqual(2);
    expectNothingLost(row);
  } finally {
    rmSync(`${mount}/filler`, { force: true });
    await two.query('alter table tasks set tablespace pg_default', 'quoin');
    await two.query('drop tablespace small');
    // Lazily, because a process of the server may have the removed files open.
    execFileSync('umount', ['--lazy', mount]);
  }
});
