import { createTestDatabase } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { expectProblem, password, testEnvironment, uniqueEmail } from '../../../testing/test-app.ts';
import { buildApp } from '../../app.ts';
import { parseConfig } from '../../config/config.ts';

test('concurrency: the third concurrent request of a user gets 429 until a handler ends', async () => {
  const database = await createTestDatabase();
  const app = await buildApp(parseConfig(testEnvironment({ RATE_LIMIT: 'true' })), database, {});
  const gate = Promise.withResolvers<void>();
  let running = 0;
  app.get('/slow', { schema: { hide: true }, config: { concurrency: { name: 'slow', perUser: 2 } } }, async () => {
    running += 1;
    await gate.promise;
    return { done: true };
  });
  const signUp = async () => {
    const account = { email: uniqueEmail(), password };
    await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload: account });
    const tokens = (await app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: account })).json();
    return (url: string) => app.inject({ url, headers: { authorization: `Bearer ${tokens.access_token}` } });
  };
  try {
    const [get, other] = [await signUp(), await signUp()];
    const begun = [get('/slow'), get('/slow')];
    await expect.poll(() => running).toBe(2);
    const refused = expectProblem(await get('/slow'), 429, 'rate_limited');
    expect(refused.detail).toContain('1 s');
    expect((await get('/api/v1/users/me')).statusCode).toBe(200);
    const others = other('/slow');
    await expect.poll(() => running).toBe(3);
    gate.resolve();
    for (const response of await Promise.all([...begun, others])) expect(response.statusCode).toBe(200);
    expect((await get('/slow')).statusCode).toBe(200);
  } finally {
    await app.close();
    await database.close();
  }
});

test('concurrency: requests without a user are counted by address', async () => {
  const database = await createTestDatabase();
  const app = await buildApp(parseConfig(testEnvironment({ RATE_LIMIT: 'true' })), database, {});
  const gate = Promise.withResolvers<void>();
  let running = 0;
  const config = { public: true, concurrency: { name: 'slow', perUser: 2 } };
  app.get('/slow', { schema: { hide: true }, config }, async () => {
    running += 1;
    await gate.promise;
    return { done: true };
  });
  const get = (remoteAddress: string) => app.inject({ url: '/slow', remoteAddress });
  try {
    const begun = [get('2001:db8::1'), get('2001:db8::2')];
    await expect.poll(() => running).toBe(2);
    expectProblem(await get('2001:db8::3'), 429, 'rate_limited');
    const others = get('192.0.2.1');
    await expect.poll(() => running).toBe(3);
    gate.resolve();
    for (const response of await Promise.all([...begun, others])) expect(response.statusCode).toBe(200);
    expect((await get('2001:db8::3')).statusCode).toBe(200);
  } finally {
    await app.close();
    await database.close();
  }
});

test('searches, batches, document lists, text filters, exports and admin lists have concurrency limits per user', async () => {
  const database = await createTestDatabase();
  const app = await buildApp(parseConfig(testEnvironment()), database, {});
  const limited = app.routes.flatMap(({ url, method, config }) => (config?.concurrency ? [`${method} ${url}`] : []));
  const expected = [
    'GET /api/v1/audit-events',
    'GET /api/v1/jobs',
    'GET /api/v1/organizations/:organization_id/audit-events',
    'GET /api/v1/organizations/:organization_id/documents',
    'GET /api/v1/users',
    'GET /api/v1/users/:user_id/documents',
    'GET /api/v1/users/:user_id/tasks',
    'GET /api/v1/users/me/exports/:export_id',
    'POST /api/v1/organizations/:organization_id/documents/batch',
    'POST /api/v1/organizations/:organization_id/documents/search',
    'POST /api/v1/users/:user_id/documents/batch',
    'POST /api/v1/users/:user_id/documents/search',
  ];
  // A product adds its own.
  expect(limited).toEqual(expect.arrayContaining(expected));
  await app.close();
  await database.close();
});
