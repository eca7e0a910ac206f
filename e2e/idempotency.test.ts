import { randomUUID } from 'node:crypto';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { startProxy, viaPort } from './proxy.ts';
import { newDirectory, send, startServer } from './server.ts';

const password = 'correct horse battery';
const roundsMax = 10;
const unanswered = { status: 0, body: undefined, headers: new Headers() };

// A proxy counts the messages between the server and the database. The server is killed before the first one of a request, then before the second one of the
// next request, and so on, until a request ends before it is killed.
test.runIf(testServerUrl)(
  'a request with an Idempotency-Key has one effect if the server is killed at any point and the client repeats it',
  async () => {
    const directory = newDirectory();
    const database = await createTestDatabase();
    const { hostname, port } = new URL(database.directUrl);
    const proxy = await startProxy({ host: hostname, port: Number(port) });
    const options = { cwd: directory.path, env: { DATABASE_URL: viaPort(database.directUrl, proxy.port) } };
    let server = await startServer(options);
    try {
      const call = (method: string, path: string, body?: unknown, token?: string, key?: string) =>
        send(`${server.url}/api/v1${path}`, {
          method,
          ...(body !== undefined && { body }),
          ...(token && { token }),
          ...(key && { headers: { 'idempotency-key': key } }),
        });
      const account = { email: 'ada@example.com', password };
      await call('POST', '/auth/register', account);
      const { access_token: token } = (await call('POST', '/auth/login', account)).body;

      const outcomes = new Set<string>();
      // A job can send a message as well, and a round then misses a point of the request. Killed before the commit, after it, and not at all:
      for (let round = 1; round <= roundsMax && outcomes.size < 3; round++) await killAtEachPoint(round);
      expect([...outcomes].sort()).toEqual(['answered', 'committed', 'nothing']);

      async function killAtEachPoint(round: number): Promise<void> {
        let isKilled = true;
        for (let point = 1; isKilled; point++) isKilled = await killAt(point, `Killed at ${round}.${point}`);
      }

      /** Resolves to whether the server was killed. */
      async function killAt(point: number, title: string): Promise<boolean> {
        const key = randomUUID();
        // Opens connections and loads what the first request loads.
        expect((await call('GET', '/users/me/tasks', undefined, token)).status).toBe(200);
        let messages = 0;
        proxy.filter(() => {
          messages += 1;
          if (messages === point) server.kill('SIGKILL');
          return messages < point;
        });
        const first = await call('POST', '/users/me/tasks', { title }, token, key).catch(() => unanswered);
        const isKilled = first.status === 0;
        proxy.filter(() => true);
        if (isKilled) {
          await server.exited;
          server = await startServer(options);
        }
        const committed = (await titlesOf(token)).includes(title);
        const repeated = await call('POST', '/users/me/tasks', { title }, token, key);
        expect([point, repeated.status, repeated.body.title]).toEqual([point, 201, title]);
        expect([point, repeated.headers.get('idempotent-replayed')]).toEqual([point, committed ? 'true' : null]);
        expect((await titlesOf(token)).filter((one) => one === title)).toHaveLength(1);
        outcomes.add(!isKilled ? 'answered' : committed ? 'committed' : 'nothing');
        return isKilled;
      }
    } finally {
      await server.end('SIGKILL');
      await proxy.close();
      await database.close();
      directory.remove();
    }

    async function titlesOf(token: string): Promise<string[]> {
      const { body } = await send(`${server.url}/api/v1/users/me/tasks?limit=200`, { token });
      return body.items.map(({ title }: { title: string }) => title);
    }
  },
);
