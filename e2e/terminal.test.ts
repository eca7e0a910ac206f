import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect, drift, migrations } from '@quoin/db';
import { dbCommand } from '@quoin/db/cli';
import { createTestDatabase, runInProcess, testServerUrl } from '@quoin/db/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { userCommand } from '../apps/api/src/commands/user.ts';
import { testEnvironment } from '../apps/api/testing/test-app.ts';
import { commands, newDirectory, run, startServer } from './server.ts';

// Every command prints help, a hint with each error and no colors outside a terminal, sets its exit code, and leaves nothing behind when it is stopped.

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

const unreachable = 'postgres://user:secret@127.0.0.1:1/none';
const start = (name: keyof typeof commands, args: string[] = [], env: Record<string, string> = {}) =>
  run(name, args, { cwd: directory.path, env });

describe('--help', () => {
  test.each(Object.keys(commands) as (keyof typeof commands)[])('--help of %s ends with an example', async (name) => {
    const { code, stdout, stderr } = await start(name, ['--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: npm (start|run )/);
    expect(stdout).toMatch(/^Examples?: .*npm (start|run)\b/m);
    expect(stdout).not.toContain('\u001b');
  });
});

describe('hints', () => {
  test('a port that is in use is reported with a hint', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    for (const name of ['main', 'doctor'] as const) {
      const { code, stdout, stderr } = await start(name, [], { PORT: String(port), DATABASE_URL: unreachable });
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(
        new RegExp(`port ${port} is in use by another process\\s+hint: stop that process`),
      );
    }
    other.close();
  });

  test.each([
    [unreachable, 'DATABASE_URL: connect ECONNREFUSED 127.0.0.1:1', 'no server listens'],
    ['postgres://user:secret@nowhere.invalid/none', 'DATABASE_URL: getaddrinfo', 'host'],
  ])('an unreachable database is reported with a hint: %s', async (url, sentence, hint) => {
    const env = { DATABASE_URL: url, DATABASE_WAIT_SECONDS: '0' };
    const provider = {
      OIDC_PROVIDERS: 'acme',
      OIDC_ACME_ISSUER: 'http://127.0.0.1:1',
      OIDC_ACME_CLIENT_ID: 'id',
      OIDC_ACME_CLIENT_SECRET: 'client',
    };
    const inProcess = { env: testEnvironment(env) };
    const said = [
      (await runInProcess(dbCommand(), ['current'], inProcess)).stderr,
      (await runInProcess(userCommand(), ['list'], inProcess)).stderr,
      (await start('main', [], { ...env, PORT: '0', LOG_LEVEL: 'silent' })).stderr,
      (await start('doctor', [], { ...env, ...provider, PORT: '0' })).stdout,
    ];
    expect(said[3]).toMatch(/wrong +acme +http:\/\/127\.0\.0\.1:1: /);
    for (const text of said) {
      expect(text).toContain(sentence);
      expect(text).toMatch(new RegExp(`hint: .*${hint}`));
      expect(text).not.toMatch(/secret|\n {4}at /);
    }
  });

  test.skipIf(!testServerUrl)('a wrong password, user or database is reported with a hint', async () => {
    const other = (change: Partial<URL>) => Object.assign(new URL(testServerUrl ?? ''), change).href;
    const wrong: [string, RegExp][] = [
      [
        other({ password: 'wrong' }),
        /password authentication failed for user "\w+"\nhint: check the user and the password/,
      ],
      [other({ username: 'nobody' }), /(role "nobody" does not exist|for user "nobody")\nhint: /],
      [other({ pathname: '/nothing' }), /database "nothing" does not exist\nhint: create the database/],
    ];
    for (const [url, sentence] of wrong) {
      const { code, stderr } = await start('db', ['current'], { DATABASE_URL: url });
      expect(code).toBe(1);
      expect(stderr).toMatch(sentence);
      expect(stderr).toMatch(/^DATABASE_URL: /);
    }
  });
});

describe('colours and progress', () => {
  /** Runs a command in a pseudo-terminal. Standard output and error are combined. */
  const atTerminal = (command: string, env: Record<string, string> = {}) => {
    const { PATH = '', HOME = '' } = process.env;
    const args = ['--quiet', '--return', '--command', command, '/dev/null'];
    const options = {
      cwd: directory.path,
      env: { PATH, HOME, TERM: 'xterm', ...env },
      encoding: 'utf8',
      stdio: 'pipe',
    } as const;
    try {
      return execFileSync('script', args, options);
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const command = (name: keyof typeof commands, ...args: string[]) =>
    [process.execPath, commands[name], ...args].join(' ');

  test('colors appear at terminals only, and not with NO_COLOR', () => {
    const wrong = { DATABASE_URL: 'postgres://127.0.0.1:1/none' };
    const red = '\u001b[31mDATABASE_URL: connect ECONNREFUSED';
    expect(atTerminal(command('db', 'current'), wrong)).toContain(red);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
      expect(atTerminal(command('db', 'current'), { ...wrong, ...env })).not.toContain('\u001b');
    expect(atTerminal(command('doctor'))).toContain('\u001b[32mok');
    expect(atTerminal(command('doctor'), { NO_COLOR: '1' })).not.toContain('\u001b');
  });

  test('a command that takes more than a second prints its progress at a terminal', () => {
    const module = JSON.stringify(import.meta.resolve('@quoin/db/command'));
    const script = join(directory.path, 'slow.mjs');
    const slow = 'new Promise((resolve) => setTimeout(resolve, 1500))';
    writeFileSync(
      script,
      `const { withProgress } = await import(${module}); await withProgress('counting stones', ${slow});`,
    );
    expect(atTerminal(`${process.execPath} ${script}`)).toContain('counting stones …');
  });
});

test('a closed pipe is not an error', () => {
  const piped = `${process.execPath} ${commands.doctor} 2>&1 | head -n 1`;
  const { PATH = '' } = process.env;
  const said = execFileSync('bash', ['-c', piped], { cwd: directory.path, env: { PATH, PORT: '0' }, encoding: 'utf8' });
  expect(said).toMatch(/^ok +Node +v\d+\S+\n$/);
});

describe('Ctrl-C', () => {
  test('Ctrl-C leaves no lock, no partial migration and no process', async () => {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [commands.db, 'upgrade'], { cwd: directory.path, env: { PATH } });
    const isOpen = () => existsSync(join(directory.path, '.data/postgres.lock'));
    await expect.poll(isOpen, { interval: 10 }).toBe(true);
    child.kill('SIGINT');
    await once(child, 'exit');
    const database = await connect(`pglite://${directory.path}/.data/postgres`);
    await migrations.upgrade(database);
    expect(await drift.check(database)).toEqual([]);
    await database.close();
  });
});

describe('doctor', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());

  test('doctor finds no problem in a new checkout', async () => {
    const { code, stdout } = await start('doctor', [], { PORT: '0' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ok +Node +v2\d/m);
    expect(stdout).toMatch(/^note +database +embedded, in \.data\/postgres: npm start creates it/m);
    expect(stdout).toMatch(/^note +mail +SMTP_URL is not set/m);
    const inMemory = await start('doctor', [], { PORT: '0', DATABASE_URL: 'memory://' });
    expect(inMemory.stdout).toMatch(/^note +migrations +\d+ are pending; npm start applies them/m);
  });

  test.skipIf(!testServerUrl)('doctor checks version, pgvector and migrations of a server', async () => {
    const env = { PORT: '0', DATABASE_URL: database.url };
    const well = await start('doctor', [], env);
    expect(well).toMatchObject({ code: 0, stderr: '' });
    expect(well.stdout).toMatch(/^(ok|note) +database +PostgreSQL 1\d/m);
    expect(well.stdout).toMatch(/^ok +pgvector +0\.\d/m);
    expect(well.stdout).toMatch(/^ok +migrations +all \d+ are applied/m);
    await start('db', ['downgrade'], env);
    const behind = await start('doctor', [], env);
    expect(behind.code).toBe(1);
    expect(behind.stdout).toMatch(/^wrong +migrations +1 are pending: \w+\n +hint: npm run db -- upgrade/m);
    await start('db', ['upgrade'], env);
  });

  test('doctor reports all problems with hints and without secrets', async () => {
    const { code, stdout } = await start('doctor', [], {
      PORT: '0',
      NODE_ENV: 'production',
      SECRET_KEY: '0123456789abcdefghijklmnopqrstuvwxyz',
      SMTP_URL: 'smtp://user:verysecret@127.0.0.1:1',
      MAIL_FROM: 'a@example.com',
      APP_URL: 'https://example.com',
      REDIS_URL: 'redis://:verysecret@127.0.0.1:1',
      EMBEDDING_URL: 'http://127.0.0.1:1',
      EMBEDDING_API_KEY: 'verysecret',
    });
    expect(code).toBe(1);
    for (const what of ['mail +SMTP_URL', 'Redis +REDIS_URL', 'embeddings +EMBEDDING_URL'])
      expect(stdout).toMatch(new RegExp(`^wrong +${what}: .+\\n +hint: `, 'm'));
    expect(stdout).not.toContain('verysecret');
    expect((await start('doctor', [], { PORT: 'http', WORKERS: '4' })).stdout).toMatch(
      /PORT must be[\s\S]*WORKERS must be/,
    );
  });

  test('doctor recognizes a running Quoin', async () => {
    const server = await startServer({ cwd: directory.path, env: { DATABASE_URL: 'pglite://data' } });
    const { code, stdout } = await start('doctor', [], {
      PORT: new URL(server.url).port,
      DATABASE_URL: 'pglite://data',
    });
    expect([code, stdout]).toEqual([0, expect.stringContaining('Quoin already runs on port')]);
    expect(stdout).toContain('has it open');
    await server.end('SIGTERM');
  });
});
