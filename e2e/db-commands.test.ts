import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newDirectory, run, send, startServer } from './server.ts';

// The command as a process. packages/db/src/cli/cli.test.ts covers the arguments without processes.

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

test('npm run db migrates, seeds and checks a database that the server then opens', async () => {
  const database = testServerUrl ? await createTestDatabase({ isMigrated: false }) : undefined;
  const env = { DATABASE_URL: database?.url ?? 'pglite://data' };
  const db = (args: string[]) => run('db', args, { cwd: directory.path, env });
  try {
    expect((await db(['upgrade'])).stdout).toMatch(/^applied 0001_roles_and_extension\n/);
    const seeded = await db(['seed', '--users', '3']);
    expect(seeded.stdout).toContain('4 new accounts: admin@example.com, user1@example.com to user3@example.com');
    expect(await db(['check'])).toMatchObject({ code: 0, stdout: 'database, migrations and entities agree\n' });
    const server = await startServer({ cwd: directory.path, env });
    const account = { email: 'user3@example.com', password: 'correct horse battery' };
    const login = await send(`${server.url}/api/v1/auth/login`, { body: account });
    const tasks = await send(`${server.url}/api/v1/users/me/tasks`, { token: login.body.access_token });
    expect(tasks.body.items).toHaveLength(3);
    await server.end('SIGTERM');
  } finally {
    await database?.close();
  }
});
