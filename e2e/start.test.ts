import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newDirectory, run, send, startServer } from './server.ts';

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

const password = 'correct horse battery';

describe('npm start', () => {
  test('npm start works in an empty directory, prints where the data is, and stops cleanly', async () => {
    const server = await startServer({ cwd: directory.path });
    expect((await send(`${server.url}/health`)).body).toEqual({ status: 'ok' });
    expect((await send(`${server.url}/health/ready`)).status).toBe(200);
    expect((await send(`${server.url}/health/db`)).body).toEqual({ status: 'ok', database: 'connected' });
    expect(server.output.stdout).toContain(`documentation: ${server.url}/docs`);
    expect(server.output.stdout).toContain(join(directory.path, '.data/postgres'));
    expect(server.output.stdout).toContain('npm run user -- create');
    expect(server.output.stderr).toBe('');
    const key = statSync(join(directory.path, '.data/secret-key'));
    expect(key.mode & 0o777).toBe(0o600);

    const second = await run('main', [], { cwd: directory.path });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/in use by process \d+: stop that process first/);
    expect(second.stderr).not.toMatch(/\n {4}at /);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('accounts and tokens survive a restart, and the first admin is created once', async () => {
    const env = { FIRST_ADMIN_EMAIL: 'Admin@Example.com', FIRST_ADMIN_PASSWORD: password };
    const first = await startServer({ cwd: directory.path, env });
    const tokens = (await send(`${first.url}/api/v1/auth/login`, { body: { email: 'admin@example.com', password } }))
      .body;
    expect((await send(`${first.url}/api/v1/users`, { token: tokens.access_token })).status).toBe(200);
    await first.end('SIGINT');
    const second = await startServer({ cwd: directory.path, env });
    const me = await send(`${second.url}/api/v1/users/me`, { token: tokens.access_token });
    expect(me).toMatchObject({ status: 200, body: { email: 'admin@example.com', is_admin: true } });
    expect((await send(`${second.url}/api/v1/users`, { token: tokens.access_token })).body.items).toHaveLength(1);
    await second.end('SIGTERM');
  });

  test('a start with a bad configuration lists all problems without a stack', async () => {
    writeFileSync(join(directory.path, '.env'), 'PORT=http\nLOG_LEVEL=loud\nSECRET_KEY=short\n');
    const { code, stderr } = await run('main', [], { cwd: directory.path, env: { RATE_LIMIT: 'perhaps' } });
    expect(code).toBe(1);
    for (const name of ['PORT', 'LOG_LEVEL', 'SECRET_KEY', 'RATE_LIMIT']) expect(stderr).toContain(`  ${name} must`);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  test('killing npm start by its process id stops the server', async () => {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const { PATH = '', HOME = '' } = process.env;
    const env = {
      PATH,
      HOME,
      PORT: '0',
      DATABASE_URL: 'memory://',
      SECRET_KEY: 'only for this test: 0123456789abcdef',
    };
    const npm = spawn('npm', ['start'], { cwd: root, env });
    let output = '';
    npm.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    await expect.poll(() => output).toMatch(/Quoin answers at (http:\S+)/);
    const url = /Quoin answers at (http:\S+)/.exec(output)?.[1] ?? '';
    npm.kill('SIGTERM');
    await once(npm, 'exit');
    await expect
      .poll(() =>
        fetch(`${url}/health`).then(
          () => 'answers',
          () => 'gone',
        ),
      )
      .toBe('gone');
  });

  test('npm start -- --help prints the usage and starts nothing', async () => {
    const { code, stdout } = await run('main', ['--help'], { cwd: directory.path });
    expect([code, stdout]).toEqual([0, expect.stringContaining('Example: PORT=3000 npm start')]);
    expect(existsSync(join(directory.path, '.data'))).toBe(false);
  });

  test('production requires SECRET_KEY', async () => {
    const { code, stderr } = await run('main', [], { cwd: directory.path, env: { NODE_ENV: 'production' } });
    expect(code).toBe(1);
    expect(stderr).toContain('SECRET_KEY is required in production');
  });

  test('the README’s session works when pasted', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const session = /## A first session\n[\s\S]*?```bash\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    expect(session).toContain('/auth/register');
    const server = await startServer({ cwd: directory.path, env: { DATABASE_URL: 'memory://' } });
    try {
      const script = `set -e\n${session.replaceAll('http://localhost:8000', server.url)}`;
      const { stdout } = await promisify(execFile)('bash', ['-c', script]);
      for (const expected of ['"email":"ada@example.com"', '"title":"Lay the cornerstone"', '"token_type":"bearer"'])
        expect(stdout).toContain(expected);
      expect(stdout).not.toContain('urn:quoin:problem');
    } finally {
      await server.end('SIGTERM');
    }
  });

  test.runIf(testServerUrl)('a server with pending migrations is not ready', async () => {
    const database = await createTestDatabase({ isMigrated: false });
    const env = { DATABASE_URL: database.url };
    const server = await startServer({ cwd: directory.path, env });
    try {
      expect(server.output.stdout).toContain('migrations are pending: run npm run db -- upgrade');
      expect((await send(`${server.url}/health`)).status).toBe(200);
      expect((await send(`${server.url}/health/ready`)).status).toBe(503);
      const login = { body: { email: 'a@example.com', password } };
      expect(await send(`${server.url}/api/v1/auth/login`, login)).toMatchObject({
        status: 503,
        body: { code: 'database_unavailable' },
      });
      expect((await run('db', ['upgrade'], { cwd: directory.path, env })).code).toBe(0);
      expect((await send(`${server.url}/health/ready`)).status).toBe(200);
      expect((await send(`${server.url}/api/v1/auth/login`, login)).status).toBe(401);
    } finally {
      await server.end('SIGTERM');
      await database.close();
    }
  });
});
