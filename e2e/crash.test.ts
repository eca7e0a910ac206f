import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

const password = 'correct horse battery';
const tasksBeforeKill = 200;

test('a killed server keeps every task that it acknowledged', async () => {
  const directory = newDirectory();
  const database = testServerUrl ? await createTestDatabase() : undefined;
  const options = { cwd: directory.path, env: database ? { DATABASE_URL: database.url } : {} };
  try {
    const server = await startServer(options);
    await send(`${server.url}/api/v1/auth/register`, { body: { email: 'ada@example.com', password } });
    const { access_token: token } = (
      await send(`${server.url}/api/v1/auth/login`, { body: { email: 'ada@example.com', password } })
    ).body;

    // Twenty clients write tasks until the server is gone, so that it always dies during some writes.
    const answered: string[] = [];
    const refused: number[] = [];
    let killed: Promise<unknown> | undefined;
    const client = async () => {
      for (let n = 0; ; n++) {
        const { status, body } = await send(`${server.url}/api/v1/users/me/tasks`, {
          body: { title: `Task ${n}` },
          token,
        });
        if (status === 201) answered.push(body.id);
        else refused.push(status);
        if (answered.length === tasksBeforeKill) killed = server.end('SIGKILL');
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: 20 }, client));
    await killed;
    expect(refused).toEqual([]);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    expect(answered.length).toBeGreaterThanOrEqual(tasksBeforeKill);

    const again = await startServer(options);
    const found = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = `limit=200${cursor && `&cursor=${cursor}`}`;
      const page: { items: { id: string }[]; next_cursor: string | null } = (
        await send(`${again.url}/api/v1/users/me/tasks?${query}`, { token })
      ).body;
      for (const { id } of page.items) found.add(id);
      cursor = page.next_cursor;
    }
    expect(answered.filter((id) => !found.has(id))).toEqual([]);
    await again.end('SIGTERM');
  } finally {
    await database?.close();
    directory.remove();
  }
});
