import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newDirectory, run, send, startServer } from './server.ts';

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

const password = 'correct horse battery';

describe('npm run user', () => {
  test('makes accounts and admins, changes them, and lists them', async () => {
    const database = await createTestDatabase();
    const url = testServerUrl ? database.url : 'pglite://data';
    const user = (args: string[], input = '') =>
      run('user', args, { cwd: directory.path, env: { DATABASE_URL: url }, input });
    try {
      const created = await user(
        ['create', '--email', 'Ada@Example.com', '--username', 'ada', '--admin'],
        `${password}\n`,
      );
      expect(created).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^made ada@example\.com [0-9a-f-]{36} admin\n$/),
      });
      expect((await user(['create', '--email', 'grace@example.com'], password)).code).toBe(0);
      expect(await user(['set-admin', '--email', 'grace@example.com'])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('admin'),
      });
      expect((await user(['set-admin', '--email', 'grace@example.com', '--revoke'])).stdout).not.toContain('admin');
      expect((await user(['deactivate', '--email', 'GRACE@example.com'])).stdout).toContain('inactive');
      expect((await user(['list'])).stdout).toMatch(/^grace@example\.com \S+ inactive\nada@example\.com \S+ admin\n$/);

      const mistakes: [string[], string, number, string][] = [
        [['create', '--email', 'ada@example.com'], password, 1, 'Sign in with it, or choose another one.'],
        [
          ['create', '--email', 'new@example.com'],
          'password123',
          1,
          'body /password is among the most common passwords',
        ],
        [['create', '--email', 'new@example.com', '--username', 'a b'], password, 1, 'body /username'],
        [['create', '--email', 'new'], password, 2, '--email takes an email address'],
        [['create'], password, 2, '--email takes an email address'],
        [['set-admin', '--email', 'nobody@example.com'], '', 1, 'there is no account nobody@example.com'],
        [['deactivate', '--email', 'ada@example.com'], '', 1, 'Make somebody else an admin first.'],
        [['promote', '--email', 'ada@example.com'], '', 2, 'say which command'],
        [['list', '--loud'], '', 2, 'loud'],
      ];
      for (const [args, input, code, message] of mistakes) {
        const answer = await user(args, input);
        expect(answer.code, args.join(' ')).toBe(code);
        expect(answer.stderr).toContain(message);
        expect(answer.stderr).not.toMatch(/\n {4}at /);
      }
      expect(await user(['--help'])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Example: npm run user'),
      });
    } finally {
      await database.close();
    }
  });
});

describe('npm run keys', () => {
  test('writes a key that only its owner may read, with which the server then signs, and overwrites none', async () => {
    const keys = (args: string[]) => run('keys', args, { cwd: directory.path });
    const made = await keys(['generate', '--algorithm', 'ES256', '--out', 'jwt.pem']);
    expect(made).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('JWT_ALGORITHM=ES256\nJWT_PRIVATE_KEY=jwt.pem\n'),
    });
    expect(statSync(join(directory.path, 'jwt.pem')).mode & 0o777).toBe(0o600);
    const again = await keys(['generate', '--out', 'jwt.pem']);
    expect(again).toMatchObject({ code: 1, stderr: 'that file exists, and is left as it is\n' });
    for (const args of [['generate'], [], ['generate', '--algorithm', 'none', '--out', 'x'], ['--loud']]) {
      expect((await keys(args)).code).toBe(2);
    }
    const env = { DATABASE_URL: 'memory://', JWT_ALGORITHM: 'ES256', JWT_PRIVATE_KEY: 'jwt.pem' };
    const server = await startServer({ cwd: directory.path, env });
    const { body } = await send(`${server.url}/.well-known/jwks.json`);
    expect(body.keys).toMatchObject([{ alg: 'ES256', kid: /key (\S+)/.exec(made.stdout)?.[1] }]);
    await server.end('SIGTERM');
  });
});

describe('npm run user -- import', () => {
  test('takes accounts from another system, reports what it refuses by its line, and goes on', async () => {
    const database = await createTestDatabase();
    const env = { DATABASE_URL: testServerUrl ? database.url : 'pglite://data' };
    const bcrypt = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'; // U*U
    const lines = [
      {
        email: 'First@Example.com',
        password_hash: bcrypt,
        full_name: 'First 🧱',
        email_verified_at: '2020-01-02T03:04:05Z',
      },
      '{"half',
      { email: 'first@example.com', password_hash: bcrypt },
      { email: 'no-address', password_hash: bcrypt },
      { email: 'weak@example.com', password_hash: '5f4dcc3b5aa765d61d8327deb882cf99' },
      { email: 'costly@example.com', password_hash: bcrypt.replace('$05$', '$31$') },
      { email: 'nul@example.com', password_hash: bcrypt, full_name: 'a\0b' },
      { email: 'date@example.com', password_hash: bcrypt, email_verified_at: 'yesterday' },
      { email: 'extra@example.com', password_hash: bcrypt, password: 'x' },
      '',
      { email: 'last@example.com', password_hash: bcrypt, is_admin: true, is_active: false },
    ].map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    const many = Array.from({ length: 1200 }, (_, n) =>
      JSON.stringify({ email: `many${n}@example.com`, password_hash: bcrypt }),
    );
    try {
      const input = [...lines, ...many].join('\n');
      const { code, stdout, stderr } = await run('user', ['import'], { cwd: directory.path, env, input });
      expect([code, stdout]).toEqual([1, '1202 accounts are new, 8 lines were refused\n']);
      const reported = stderr.split('\n').filter((line) => line.startsWith('line '));
      expect(reported.map((line) => Number(/\d+/.exec(line)?.[0])).sort((a, b) => a - b)).toEqual([
        2, 3, 4, 5, 6, 7, 8, 9,
      ]);
      expect(stderr).toContain('line 2: is not JSON');
      expect(stderr).toContain('line 3: another account has this email or username');
      expect(stderr).toContain('line 4: body /email must be an email address');
      expect(stderr).toContain('1211 lines\n');

      const server = await startServer({ cwd: directory.path, env });
      const login = await send(`${server.url}/api/v1/auth/login`, {
        body: { email: 'first@example.com', password: 'U*U' },
      });
      const me = await send(`${server.url}/api/v1/users/me`, { token: login.body.access_token });
      expect(me.body).toMatchObject({
        email: 'first@example.com',
        full_name: 'First 🧱',
        email_verified_at: '2020-01-02T03:04:05.000Z',
      });
      await server.end('SIGTERM');
    } finally {
      await database.close();
    }
  });
});
