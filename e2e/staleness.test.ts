import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

// The optimizations of authentication (batches, cached signatures, shared connections) never extend access: once access ends, every request that
// is sent after that response is rejected, by every process and under load. Several processes need a database server.

const password = 'correct horse battery';
const admin = { email: 'admin@example.com', password };
const loopsPerServer = 8;
const requestsAfterMin = 25;

let directory: ReturnType<typeof newDirectory>;
let database: TestDatabase | undefined;
let apis: string[];
let stop: () => Promise<void>;
let adminToken: string;

beforeAll(async () => {
  directory = newDirectory();
  database = testServerUrl ? await createTestDatabase() : undefined;
  const env = {
    FIRST_ADMIN_EMAIL: admin.email,
    FIRST_ADMIN_PASSWORD: admin.password,
    SECRET_KEY: 'one secret that both of the processes sign with',
    LOG_LEVEL: 'error',
    ...(database && { DATABASE_URL: database.url }),
  };
  const first = await startServer({ cwd: directory.path, env });
  const servers = database ? [first, await startServer({ cwd: directory.path, env })] : [first];
  apis = servers.map(({ url }) => `${url}/api/v1`);
  stop = async () => void (await Promise.all(servers.map((server) => server.end('SIGTERM'))));
  adminToken = await signIn(admin.email);
});
afterAll(async () => {
  await stop?.();
  await database?.close();
  directory.remove();
});

const here = () => apis[0] ?? '';
async function signIn(email: string): Promise<string> {
  return (await send(`${here()}/auth/login`, { body: { email, password } })).body.access_token;
}
async function newUser(more: object = {}) {
  const email = `user-${crypto.randomUUID()}@example.com`;
  const body = { email, password, ...more };
  const { id } = (await send(`${here()}/users`, { body, token: adminToken })).body;
  return { id: id as string, email, token: await signIn(email) };
}

/** Sends requests to every process continuously and calls `act` in between. Resolves to the statuses before and after. */
async function whileAsking(path: string, token: string, act: () => Promise<unknown>) {
  let isActing = false;
  let hasActed = false;
  let isOver = false;
  const before = new Set<number>();
  const after = apis.map(() => new Map<number, number>());
  const count = (server: number) => [...(after[server]?.values() ?? [])].reduce((sum, n) => sum + n, 0);
  const loop = async (server: number) => {
    while (!isOver) {
      const isAfter = hasActed;
      const { status } = await send(`${apis[server]}${path}`, { token });
      if (isAfter) after[server]?.set(status, (after[server].get(status) ?? 0) + 1);
      // Requests in progress at that time may have either outcome.
      else if (!isActing) before.add(status);
    }
  };
  const loops = apis.flatMap((_, server) => Array.from({ length: loopsPerServer }, () => loop(server)));
  try {
    await expect.poll(() => before.size).toBeGreaterThan(0);
    isActing = true;
    await act();
    hasActed = true;
    await expect.poll(() => Math.min(...apis.map((_, server) => count(server)))).toBeGreaterThan(requestsAfterMin);
  } finally {
    isOver = true;
    await Promise.all(loops);
  }
  return { before: [...before], after: after.map((statuses) => [...statuses.keys()]) };
}

const succeeding = (answer: { status: number }) => expect(answer.status).toBeLessThan(300);
const everywhere = (status: number) => ({ before: [200], after: apis.map(() => [status]) });

test('a logout counts from the next request, over two processes', async () => {
  const { token } = await newUser();
  const act = async () => succeeding(await send(`${here()}/auth/logout`, { method: 'POST', token }));
  expect(await whileAsking('/users/me', token, act)).toEqual(everywhere(401));
});

test('a logout of all sessions counts from the next request of each', async () => {
  const { token, email } = await newUser();
  const another = await signIn(email);
  const act = async () => succeeding(await send(`${here()}/auth/logout-all`, { method: 'POST', token: another }));
  expect(await whileAsking('/users/me/tasks', token, act)).toEqual(everywhere(401));
});

test('a deactivation counts from the next request', async () => {
  const { id, token } = await newUser();
  const body = { is_active: false };
  const act = async () => succeeding(await send(`${here()}/users/${id}`, { method: 'PATCH', body, token: adminToken }));
  expect(await whileAsking('/users/me', token, act)).toEqual(everywhere(401));
});

test('a demotion counts from the next request', async () => {
  const { id, token } = await newUser({ is_admin: true });
  const body = { is_admin: false };
  const act = async () => succeeding(await send(`${here()}/users/${id}`, { method: 'PATCH', body, token: adminToken }));
  expect(await whileAsking('/users?limit=1', token, act)).toEqual(everywhere(403));
});

test('a deletion counts from the next request', async () => {
  const { id, token } = await newUser();
  const act = async () => succeeding(await send(`${here()}/users/${id}`, { method: 'DELETE', token: adminToken }));
  expect(await whileAsking('/users/me/tasks', token, act)).toEqual(everywhere(401));
});
