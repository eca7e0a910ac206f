import { createTestDatabase, keptOpen, runInProcess, type TestDatabase } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { password, startTestApp, testEnvironment } from '../../testing/test-app.ts';
import { userCommand } from './user.ts';

const run = (database: TestDatabase, args: string[], input = '') =>
  runInProcess(userCommand(keptOpen(database)), args, { env: testEnvironment(), input });

describe('npm run user', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());
  const user = (args: string[], input = '') => run(database, args, input);

  test('npm run user creates, changes and lists accounts and admins', async () => {
    const created = await user(
      ['create', '--email', 'Ada@Example.com', '--username', 'ada', '--admin'],
      `${password}\n`,
    );
    expect(created).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^created ada@example\.com [0-9a-f-]{36} admin\n$/),
    });
    expect((await user(['create', '--email', 'grace@example.com'], password)).code).toBe(0);
    expect(await user(['set-admin', '--email', 'grace@example.com'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('admin'),
    });
    expect((await user(['set-admin', '--email', 'grace@example.com', '--revoke'])).stdout).not.toContain('admin');
    expect((await user(['deactivate', '--email', 'GRACE@example.com'])).stdout).toContain('inactive');
    expect((await user(['list'])).stdout).toMatch(/^grace@example\.com \S+ inactive\nada@example\.com \S+ admin\n$/);
  });

  test.each<[string[], string, number, string]>([
    [['create', '--email', 'ada@example.com'], password, 1, 'Sign in with this email, or choose another one.'],
    [['create', '--email', 'new@example.com'], 'password123', 1, 'body /password is among the most common passwords'],
    [['create', '--email', 'new@example.com', '--username', 'a b'], password, 1, 'body /username'],
    [['create', '--email', 'new'], password, 2, '--email must be an email address'],
    [['create'], password, 2, '--email must be an email address'],
    [['set-admin', '--email', 'nobody@example.com'], '', 1, 'no account has the email nobody@example.com'],
    [['deactivate', '--email', 'ada@example.com'], '', 1, 'Make another user an admin first.'],
    [
      ['create-key', '--email', 'ada@example.com', '--name', 'x', '--scopes', 'all'],
      '',
      2,
      '--scopes must be some of profile:read',
    ],
    [['create-key', '--email', 'ada@example.com', '--scopes', 'tasks:read'], '', 2, '--name is missing'],
    [
      ['create-key', '--email', 'ada@example.com', '--name', 'x', '--scopes', 'tasks:read', '--days', 'x'],
      '',
      2,
      '--days must',
    ],
    [['create-key', '--email', 'nobody@example.com', '--name', 'x', '--scopes', 'tasks:read'], '', 1, 'no account'],
    [['promote', '--email', 'ada@example.com'], '', 2, 'unknown command: promote'],
    [['list', '--loud'], '', 2, 'loud'],
  ])('npm run user %j fails with a message and an exit code', async (args, input, code, message) => {
    const answer = await user(args, input);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(message);
    expect(answer.stderr).not.toMatch(/\n {4}at /);
  });

  test('npm run user creates service accounts and API keys, and prints a key alone on standard output', async () => {
    const email = ['--email', 'import@example.com'];
    expect((await user(['create', ...email, '--service'])).stdout).toMatch(
      /^created import@example\.com \S+ service\n$/,
    );
    const scopes = ['--scopes', 'tasks:read, tasks:write', '--days', '30'];
    const created = await user(['create-key', ...email, '--name', 'Import', ...scopes]);
    expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^quoin_k1_[\w-]{92}\n$/) });
    const service = await database.system().users.findByEmail('import@example.com');
    expect(await database.system().apiKeys.list(service?.id ?? '')).toMatchObject([
      { name: 'Import', scopes: ['tasks:read', 'tasks:write'] },
    ]);
  });

  test('npm run user --help ends with an example', async () => {
    expect(await user(['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Example: npm run user'),
    });
  });
});

describe('npm run user -- import', () => {
  test('npm run user -- import creates accounts and reports refused lines by number', async () => {
    const api = await startTestApp();
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
      const { code, stdout, stderr } = await run(api.database, ['import'], [...lines, ...many].join('\n'));
      expect([code, stdout]).toEqual([1, 'created 1202 accounts, refused 8 lines\n']);
      const reported = stderr.split('\n').filter((line) => line.startsWith('line '));
      expect(reported.map((line) => Number(/\d+/.exec(line)?.[0])).sort((a, b) => a - b)).toEqual([
        2, 3, 4, 5, 6, 7, 8, 9,
      ]);
      expect(stderr).toContain('line 2: the line is not JSON');
      expect(stderr).toContain('line 3: another account has this email or username');
      expect(stderr).toContain('line 4: body /email must be an email address');
      expect(stderr).toContain('1211 lines\n');

      const { access_token: token } = await api.login('first@example.com', 'U*U');
      expect((await api.send('GET', '/users/me', { token })).json()).toMatchObject({
        email: 'first@example.com',
        full_name: 'First 🧱',
        email_verified_at: '2020-01-02T03:04:05.000Z',
      });
    } finally {
      await api.close();
    }
  });
});
