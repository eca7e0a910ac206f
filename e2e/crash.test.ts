import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

const password = 'correct horse battery';
const tasksTotal = 200;

test('killed while 200 tasks are being written, the server has every one that it answered with 201', async () => {
  const directory = newDirectory();
  const database = testServerUrl ? await createTestDatabase() : undefined;
  const options = { cwd: directory.path, env: database ? { DATABASE_URL: database.url } : {} };
  try {
    const server = await startServer(options);
    await send(`${server.url}/api/v1/auth/register`, { body: { email: 'ada@example.com', password } });
    const { access_token: token } = (
      await send(`${server.url}/api/v1/auth/login`, { body: { email: 'ada@example.com', password } })
    ).body;

    const answered: string[] = [];
    let killed: Promise<unknown> | undefined;
    const writes = Array.from({ length: tasksTotal }, async (_, n) => {
      const { status, body } = await send(`${server.url}/api/v1/users/me/tasks`, {
        body: { title: `Task ${n}` },
        token,
      });
      if (status === 201) answered.push(body.id);
      if (answered.length === tasksTotal / 4) killed ??= server.end('SIGKILL');
    });
    await Promise.allSettled(writes);
    await killed;
    expect(answered.length).toBeGreaterThanOrEqual(tasksTotal / 4);
    expect(answered.length, 'the kill came too late to prove anything').toBeLessThan(tasksTotal);

    const again = await startServer(options);
    const found = (await send(`${again.url}/api/v1/users/me/tasks?limit=200`, { token })).body.items.map(
      ({ id }: { id: string }) => id,
    );
    expect(answered.filter((id) => !found.includes(id))).toEqual([]);
    await again.end('SIGTERM');
  } finally {
    await database?.close();
    directory.remove();
  }
});
