import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newDirectory, run, send, startServer } from './server.ts';

// Commands as processes. Tests beside their code cover the arguments without processes.

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

const password = 'correct horse battery';

test('npm run user: a created account can sign in', async () => {
  const database = await createTestDatabase();
  const env = { DATABASE_URL: testServerUrl ? database.url : 'pglite://data' };
  try {
    const args = ['create', '--email', 'ada@example.com', '--admin'];
    expect((await run('user', args, { cwd: directory.path, env, input: `${password}\n` })).code).toBe(0);
    const server = await startServer({ cwd: directory.path, env });
    const login = await send(`${server.url}/api/v1/auth/login`, { body: { email: 'ada@example.com', password } });
    expect(login.status).toBe(200);
    await server.end('SIGTERM');
  } finally {
    await database.close();
  }
});

test('npm run keys writes a private key that the server signs with, and overwrites none', async () => {
  const keys = (args: string[]) => run('keys', args, { cwd: directory.path });
  const made = await keys(['generate', '--algorithm', 'ES256', '--out', 'jwt.pem']);
  expect(made).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('JWT_ALGORITHM=ES256\nJWT_PRIVATE_KEY=jwt.pem\n'),
  });
  expect(statSync(join(directory.path, 'jwt.pem')).mode & 0o777).toBe(0o600);
  const again = await keys(['generate', '--out', 'jwt.pem']);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });
  for (const args of [['generate'], ['generate', '--algorithm', 'none', '--out', 'x']]) {
    expect((await keys(args)).code).toBe(2);
  }
  const env = { DATABASE_URL: 'memory://', JWT_ALGORITHM: 'ES256', JWT_PRIVATE_KEY: 'jwt.pem' };
  const server = await startServer({ cwd: directory.path, env });
  const { body } = await send(`${server.url}/.well-known/jwks.json`);
  expect(body.keys).toMatchObject([{ alg: 'ES256', kid: /key (\S+)/.exec(made.stdout)?.[1] }]);
  await server.end('SIGTERM');
});
