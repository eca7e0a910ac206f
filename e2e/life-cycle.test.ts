import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startProxy, viaPort } from './proxy.ts';
import { newDirectory, run, send, startServer } from './server.ts';

const password = 'correct horse battery';

let directory: ReturnType<typeof newDirectory>;
let database: TestDatabase | undefined;
let env: Record<string, string>;
beforeEach(async () => {
  directory = newDirectory();
  database = testServerUrl ? await createTestDatabase() : undefined;
  env = database ? { DATABASE_URL: database.directUrl } : {};
});
afterEach(async () => {
  await database?.close();
  directory.remove();
});
const start = (more: Record<string, string> = {}) => startServer({ cwd: directory.path, env: { ...env, ...more } });

describe('on SIGTERM', () => {
  test('SIGTERM: the server is not ready, answers during the delay, and closes connections', async () => {
    const server = await start({ SHUTDOWN_DELAY_SECONDS: '1' });
    expect((await send(`${server.url}/health/ready`)).status).toBe(200);
    server.kill('SIGTERM');
    await expect
      .poll(async () => await send(`${server.url}/health/ready`))
      .toMatchObject({ status: 503, body: { code: 'shutting_down' } });
    const alive = await fetch(`${server.url}/health`);
    expect(alive.status).toBe(200);
    expect(alive.headers.get('connection')).toBe('close');
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  test('SIGTERM: running requests are answered', async () => {
    const server = await start({ SHUTDOWN_DELAY_SECONDS: '0.5', SHUTDOWN_SECONDS: '120' });
    const body = { email: 'nobody@example.com', password };
    const begun = Array.from({ length: 10 }, () => send(`${server.url}/api/v1/auth/login`, { body }));
    await wait(300);
    const ended = server.end('SIGTERM');
    expect((await Promise.all(begun)).map(({ status }) => status)).toEqual(Array(10).fill(401));
    expect(await ended).toEqual({ code: 0, signal: null });
  });

  test('SIGTERM: a second signal ends the process at once', async () => {
    const server = await start({ SHUTDOWN_DELAY_SECONDS: '60', SHUTDOWN_SECONDS: '90' });
    server.kill('SIGTERM');
    await expect.poll(async () => (await send(`${server.url}/health/ready`)).status).toBe(503);
    expect(await server.end('SIGTERM')).toEqual({ code: 1, signal: null });
  });

  test('SIGTERM: the process ends after SHUTDOWN_SECONDS with exit code 1', async () => {
    const server = await start({ SHUTDOWN_DELAY_SECONDS: '60', SHUTDOWN_SECONDS: '0.3' });
    expect(await server.end('SIGTERM')).toEqual({ code: 1, signal: null });
    expect(server.output.stdout).toContain('could not stop within 0.3 s');
  });
});

describe('where the database does not answer yet', () => {
  test('a start waits for the database up to DATABASE_WAIT_SECONDS and reports the reason', async () => {
    const gaveUp = await run('main', [], {
      cwd: directory.path,
      env: { DATABASE_URL: 'postgres://127.0.0.1:9/x', DATABASE_WAIT_SECONDS: '0.5', PORT: '0' },
    });
    expect(gaveUp.code).toBe(1);
    expect(gaveUp.stderr).toMatch(/^DATABASE_URL: .*ECONNREFUSED.*\nhint: no server listens at this address/);
    expect(gaveUp.stderr).not.toMatch(/\n {4}at /);
  });

  test.runIf(testServerUrl)('a server is alive but not ready until the database answers', async () => {
    const { hostname, port } = new URL(env.DATABASE_URL ?? '');
    const first = await startProxy({ host: hostname, port: Number(port) });
    await first.close();
    let proxy: Awaited<ReturnType<typeof startProxy>> | undefined;
    const server = await startServer({
      cwd: directory.path,
      env: { ...env, DATABASE_URL: viaPort(env.DATABASE_URL ?? '', first.port) },
      onWaiting: async () => {
        proxy = await startProxy({ host: hostname, port: Number(port) }, { port: first.port });
      },
    });
    expect((await send(`${server.url}/health/ready`)).status).toBe(200);
    expect(server.output.stdout).toContain('waiting for the database');
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await proxy?.close();
  });

  test.runIf(testServerUrl)('a start does not wait if the database rejects the password', async () => {
    const url = Object.assign(new URL(env.DATABASE_URL ?? ''), { pathname: '/no_such_database' }).href;
    const begun = performance.now();
    const refused = await run('main', [], { cwd: directory.path, env: { DATABASE_URL: url, PORT: '0' } });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('no_such_database') });
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});

describe('METRICS', () => {
  test('metrics have a port of their own and label routes by pattern, without ids', async () => {
    const server = await start({ METRICS: 'true', METRICS_PORT: '0' });
    const metricsUrl = /Metrics: (\S+)/.exec(server.output.stdout)?.[1] ?? '';
    const account = { email: 'ada@example.com', password };
    const { id } = (await send(`${server.url}/api/v1/auth/register`, { body: account })).body;
    await send(`${server.url}/api/v1/users/${id}`);
    await send(`${server.url}/api/v1/nothing/${id}`);
    let text = '';
    const metrics = async () => {
      text = await (await fetch(metricsUrl)).text();
      return text;
    };
    await expect.poll(metrics).toContain('quoin_job_duration_seconds_count{job="send mail"');
    expect(text).toMatch(
      /http_request_duration_seconds_count\{method="POST",route="\/api\/v1\/auth\/register",status="201"\} 1/,
    );
    expect(text).toMatch(/route="\/api\/v1\/users\/:user_id",status="401"\} 1/);
    expect(text).toMatch(/route="none",status="404"\} 1/);
    for (const name of [
      'quoin_database_connections{state="open"}',
      'quoin_password_hashing{state="waiting"} 0',
      'quoin_jobs{job="send mail",state="failed"} 0',
      'nodejs_eventloop_lag_p99_seconds',
      'process_resident_memory_bytes',
    ])
      expect(text).toContain(name);
    expect(text).not.toContain(id);
    const dashboard = readFileSync(new URL('../docs/grafana-dashboard.json', import.meta.url), 'utf8');
    const shown = new Set(dashboard.match(/\b(?:http|quoin|nodejs|process)_\w+/g));
    expect(shown.size).toBeGreaterThan(5);
    for (const name of shown) expect(text).toContain(name);
    expect((await send(`${server.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${metricsUrl}/x`)).status).toBe(404);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

describe.runIf(testServerUrl)('WORKERS', () => {
  const children = async (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

  test('workers share port and metrics, are replaced when they die, and end on SIGTERM', async () => {
    const server = await start({ WORKERS: '2', METRICS: 'true', METRICS_PORT: '0' });
    await expect.poll(() => server.output.stdout).toContain('all workers have started');
    expect(server.output.stdout.match(/Quoin answers/g)).toHaveLength(1);
    const before = await children(server.pid);
    process.kill(before[0] ?? 0, 'SIGKILL');
    await expect.poll(async () => (await children(server.pid)).filter((pid) => !before.includes(pid))).toHaveLength(1);
    for (let n = 0; n < 20; n++) expect((await send(`${server.url}/health/ready`)).status).toBe(200);
    const workers = await children(server.pid);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow();
  });

  test('SIGHUP replaces the workers without a failed request', async () => {
    const server = await start({ WORKERS: '2', SHUTDOWN_DELAY_SECONDS: '2' });
    await expect.poll(() => server.output.stdout).toContain('all workers have started');
    const before = await children(server.pid);
    let isOver = false;
    const statuses = new Map<number, number>();
    const client = async () => {
      while (!isOver) {
        const { status } = await send(`${server.url}/health/db`);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    server.kill('SIGHUP');
    await expect.poll(async () => (await children(server.pid)).some((pid) => before.includes(pid))).toBe(false);
    isOver = true;
    await Promise.all(clients);
    expect([...statuses.keys()]).toEqual([200]);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('workers that cannot start report the reason once', async () => {
    const refused = await run('main', [], {
      cwd: directory.path,
      env: { ...env, WORKERS: '2', FIRST_ADMIN_EMAIL: 'x@example.com', FIRST_ADMIN_PASSWORD: 'short', PORT: '0' },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr.match(/FIRST_ADMIN_PASSWORD/g)).toHaveLength(1);
  });
});
