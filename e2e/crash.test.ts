import { randomUUID } from 'node:crypto';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

const password = 'correct horse battery';
const tasksBeforeKill = 200;

test('a killed server keeps every task that it acknowledged, and a repeated request has one effect', async () => {
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
    const unanswered = new Set<string>();
    const create = (url: string, title: string) =>
      send(`${url}/api/v1/users/me/tasks`, { body: { title }, token, headers: { 'idempotency-key': title } });
    const refused: number[] = [];
    let killed: Promise<unknown> | undefined;
    const client = async () => {
      for (;;) {
        const title = randomUUID();
        unanswered.add(title);
        const { status, body } = await create(server.url, title);
        unanswered.delete(title);
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
    // As a client does that got no answer.
    for (const title of unanswered) expect((await create(again.url, title)).status).toBe(201);
    const found = new Map<string, string>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = `limit=200${cursor && `&cursor=${cursor}`}`;
      const page: { items: { id: string; title: string }[]; next_cursor: string | null } = (
        await send(`${again.url}/api/v1/users/me/tasks?${query}`, { token })
      ).body;
      for (const { id, title } of page.items) found.set(id, title);
      cursor = page.next_cursor;
    }
    expect(answered.filter((id) => !found.has(id))).toEqual([]);
    expect(unanswered.size).toBeGreaterThan(0);
    expect(found.size).toBe(answered.length + unanswered.size);
    expect(new Set(found.values()).size).toBe(found.size);
    await again.end('SIGTERM');
  } finally {
    await database?.close();
    directory.remove();
  }
});
