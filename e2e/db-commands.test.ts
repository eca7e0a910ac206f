import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newDirectory, run, send, startServer } from './server.ts';

const password = 'correct horse battery';

let directory: ReturnType<typeof newDirectory>;
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => directory.remove());

describe('npm run db', () => {
  let database: TestDatabase | undefined;
  let env: Record<string, string>;
  beforeEach(async () => {
    database = testServerUrl ? await createTestDatabase({ isMigrated: false }) : undefined;
    env = { DATABASE_URL: database?.url ?? 'pglite://data' };
  });
  afterEach(() => database?.close());
  const db = (args: string[], more = {}) => run('db', args, { cwd: directory.path, env: { ...env, ...more } });

  test('goes up, down and up again, and agrees', async () => {
    expect((await db(['current'])).stdout).toBe('base\n');
    expect((await db(['upgrade'])).stdout).toMatch(/^applied \d{14}_role_and_extension\n/);
    expect((await db(['upgrade'])).stdout).toContain('nothing to apply');
    expect((await db(['history'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT.*_role_and_extension\n/);
    expect((await db(['downgrade', '--to', 'base'])).code).toBe(0);
    expect((await db(['downgrade'])).stdout).toContain('nothing to take back');
    const pending = await db(['check']);
    expect(pending).toMatchObject({ code: 1, stdout: expect.stringContaining('_role_and_extension: not applied\n') });
    expect((await db(['upgrade'])).code).toBe(0);
    expect(await db(['check'])).toMatchObject({ code: 0, stdout: 'database, migrations and entities agree\n' });
  });

  test('seeds accounts that can sign in, as often as one likes, but never in production', async () => {
    expect(await db(['seed'], { NODE_ENV: 'production' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not in production'),
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
    const server = await startServer({ cwd: directory.path, env });
    const login = await send(`${server.url}/api/v1/auth/login`, { body: { email: 'user1200@example.com', password } });
    const tasks = await send(`${server.url}/api/v1/users/me/tasks`, { token: login.body.access_token });
    expect(tasks.body.items).toHaveLength(3);
    await server.end('SIGTERM');
  });

  test('has every document embedded by another model', async () => {
    expect((await db(['reembed'])).stderr).toBe(
      'EMBEDDING_URL is not set: there is no service that makes embeddings\n',
    );
    const service = createServer(async (request, response) => {
      const { input } = (await json(request)) as { input: string[] };
      const embedding = Array.from({ length: 768 }, (_, index) => (index === 0 ? 1 : 0));
      response.end(JSON.stringify({ data: input.map((_, index) => ({ index, embedding })) }));
    });
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    const { port } = service.address() as AddressInfo;
    const embedding = { EMBEDDING_URL: `http://127.0.0.1:${port}/v1`, EMBEDDING_MODEL: 'model-2' };

    await db(['upgrade']);
    const server = await startServer({ cwd: directory.path, env });
    const url = `${server.url}/api/v1`;
    const account = { email: 'ada@example.com', password };
    await send(`${url}/auth/register`, { body: account });
    const token = (await send(`${url}/auth/login`, { body: account })).body.access_token;
    const documents = `${url}/users/me/documents`;
    for (const title of ['one', 'two', 'three']) await send(documents, { token, body: { title, content: title } });
    await server.end('SIGTERM');

    expect(await db(['reembed'], embedding)).toEqual({
      code: 0,
      stderr: '3 embedded, 3 of 3 documents looked at\n',
      stdout: '3 documents have a new embedding, by model-2\n',
    });
    expect((await db(['reembed'], embedding)).stdout).toBe('0 documents have a new embedding, by model-2\n');
    service.close();
    const failed = await db(['reembed'], embedding);
    expect(failed).toMatchObject({ code: 1, stderr: 'the embedding service does not answer\n' });
  });

  test.each<[string[], number, string]>([
    [['upgrade', '--to', 'nothing'], 1, 'there is no migration nothing'],
    [['seed', '--users', 'many'], 2, '--users takes a whole number'],
    [['revision'], 2, 'revision needs a message'],
    [['fly'], 2, 'there is no command fly'],
    [['check', '--loud'], 2, 'loud'],
  ])('%j is answered with a sentence', async (args, code, message) => {
    const answer = await db(args);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(message);
    expect(answer.stderr).not.toMatch(/\n {4}at /);
  });

  test('helps, and says why a server cannot be reached', async () => {
    expect(await db(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Example: npm run db') });
    expect(await db([])).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage') });
    const refused = await db(['check'], { DATABASE_URL: 'postgres://127.0.0.1:9/x' });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
  });
});
