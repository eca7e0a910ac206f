import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn, makeJobsDue } from '../../testing/jobs.ts';
import { expectProblem, startTestApp, type TestApp, testEnvironment } from '../../testing/test-app.ts';
import { parseConfig } from '../config/config.ts';
import { createSealed } from '../config/sealed.ts';
import { resealWebhookSecrets } from './reseal.ts';

interface Received {
  headers: Record<string, string>;
  body: string;
}
const received: Received[] = [];
let status = 204;
const receiver = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  received.push({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() });
  response.writeHead(status).end();
});

let api: TestApp;
let url: string;
let user: Awaited<ReturnType<TestApp['signUp']>>;
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as { port: number }).port}/hook`;
  api = await startTestApp({ WEBHOOKS_PRIVATE: 'true' });
});
beforeEach(async () => {
  await api.database.execute('delete from pgboss.job');
  user = await api.signUp();
  received.length = 0;
  status = 204;
});
afterAll(async () => {
  await api.close();
  receiver.close();
});

const path = '/users/me/webhook-endpoints';
const send = (method: string, rest = '', body?: object) =>
  api.send(method, `${path}${rest}`, { token: user.token, ...(body && { body }) });
const create = async (body: object = { url }) => {
  const response = await send('POST', '', body);
  expect(response.statusCode).toBe(201);
  return response.json() as { id: string; secret: string };
};
const publish = (type = 'invoice.paid', data: Record<string, unknown> = { amount: 100 }) =>
  api.app.services.publishWebhook(api.database.system(), type, data, { userId: user.id });
const run = async () => {
  await api.app.runner.runDue('publish webhook');
  await api.app.runner.runDue('deliver webhook');
};
const deliveries = async () => (await jobsIn(api.database)).filter(({ name }) => name === 'deliver-webhook');

describe('a webhook endpoint', () => {
  test('an event is posted and signed by Standard Webhooks', async () => {
    const { secret } = await create();
    await publish('invoice.paid', { amount: 100, name: 'Zoë' });
    await run();
    expect(received).toHaveLength(1);
    const [{ headers, body }] = received as [Received];
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({
      type: 'invoice.paid',
      timestamp: expect.any(String),
      data: { amount: 100, name: 'Zoë' },
    });
    expect(headers['webhook-id']).toMatch(/^msg_[0-9a-f-]{36}$/);
    expect(await jobsIn(api.database)).toHaveLength(1); // the mail of the registration
  });

  test('an endpoint gets the types of events that it names', async () => {
    await create({ url, event_types: ['task.created'] });
    await publish('invoice.paid');
    await publish('task.created');
    await run();
    expect(received.map(({ body }) => JSON.parse(body).type)).toEqual(['task.created']);
  });

  test('events of another user are not sent', async () => {
    await create();
    const other = await api.signUp();
    await api.app.services.publishWebhook(api.database.system(), 'x', {}, { userId: other.id });
    await run();
    expect(received).toEqual([]);
  });

  test('while a secret is replaced, messages are signed with both for a day', async () => {
    const { id, secret } = await create();
    const rotated = await send('POST', `/${id}/secret`);
    expect(rotated.statusCode).toBe(201);
    const next = rotated.json().secret;
    expect(next).not.toBe(secret);
    await publish();
    await run();
    const [{ headers, body }] = received as [Received];
    for (const one of [secret, next]) expect(() => new Webhook(one).verify(body, headers)).not.toThrow();
    await api.database.execute(`update webhook_endpoints set previous_secret_until = '2020-01-01'`);
    await publish();
    await run();
    const last = received[1] as Received;
    expect(() => new Webhook(next).verify(last.body, last.headers)).not.toThrow();
    expect(() => new Webhook(secret).verify(last.body, last.headers)).toThrow();
  });

  test('a message is tried eight times with the same id; then the endpoint is disabled, with a mail', async () => {
    const { id } = await create();
    status = 500;
    await publish();
    await run();
    for (let attempt = 2; attempt <= 9; attempt++) {
      await makeJobsDue(api.database);
      await run();
    }
    expect(received).toHaveLength(8);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await deliveries()).toMatchObject([{ state: 'failed', output: { message: 'the endpoint answered 500' } }]);
    expect((await send('GET', `/${id}`)).json().disabled_at).not.toBeNull();
    expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('A webhook endpoint was disabled');
    await publish();
    await run();
    expect(received).toHaveLength(8);
    expect((await send('PATCH', `/${id}`, { is_enabled: true })).json().disabled_at).toBeNull();
    status = 204;
    await publish();
    await run();
    expect(received).toHaveLength(9);
  });

  test('an endpoint that accepts other messages stays enabled', async () => {
    const { id } = await create();
    status = 500;
    await publish('bad');
    await run();
    for (let attempt = 2; attempt <= 8; attempt++) {
      await makeJobsDue(api.database);
      if (attempt === 5) {
        status = 204;
        await api.database.system().webhookEndpoints.recordDelivery(user.id, id, new Date(Date.now() + 60_000));
        status = 500;
      }
      await run();
    }
    expect(await deliveries()).toMatchObject([{ state: 'failed' }]);
    expect((await send('GET', `/${id}`)).json().disabled_at).toBeNull();
  });

  test('an endpoint that is enabled again is not disabled by older messages', async () => {
    const { id } = await create();
    status = 500;
    await publish();
    await run();
    for (let attempt = 2; attempt <= 7; attempt++) {
      await makeJobsDue(api.database);
      await run();
    }
    await api.database.execute(`update webhook_endpoints set disabled_at = now() where id = '${id}'`);
    api.clock.advance(120);
    await send('PATCH', `/${id}`, { is_enabled: true });
    await makeJobsDue(api.database);
    await run();
    expect(received).toHaveLength(8);
    expect((await send('GET', `/${id}`)).json().disabled_at).toBeNull();
  });

  test('an endpoint that answers 410 is disabled at once', async () => {
    const { id } = await create();
    status = 410;
    await publish();
    await run();
    expect((await send('GET', `/${id}`)).json().disabled_at).not.toBeNull();
    expect(await deliveries()).toEqual([]);
  });

  test('a deleted endpoint gets no more messages', async () => {
    const { id } = await create();
    await publish();
    await api.app.runner.runDue('publish webhook');
    expect((await send('DELETE', `/${id}`)).statusCode).toBe(204);
    await run();
    expect(received).toEqual([]);
    expectProblem(await send('DELETE', `/${id}`), 404, 'not_found');
  });

  test('ping sends a test event', async () => {
    const { id } = await create();
    expect((await send('POST', `/${id}/ping`)).statusCode).toBe(202);
    await run();
    expect(JSON.parse(received[0]?.body ?? '{}')).toMatchObject({ type: 'ping', data: { endpoint_id: id } });
  });

  test('secrets are shown once and stored encrypted', async () => {
    const { id, secret } = await create();
    for (const response of [await send('GET'), await send('GET', `/${id}`), await send('PATCH', `/${id}`, {})])
      expect(response.body).not.toContain('secret');
    const [found] = await api.database.execute('select encode(secret, $1) as secret from webhook_endpoints', ['hex']);
    const bytes = Buffer.from(secret.replace('whsec_', ''), 'base64').toString('hex');
    expect(found?.rows.some((row) => String(row.secret).includes(bytes))).toBe(false);
  });

  test('reseal encrypts the secrets with a new SECRET_KEY, and messages are still signed with them', async () => {
    const { id, secret } = await create();
    const next = createSealed('another secret that is only good for tests: 9876', [api.config.secretKey]);
    expect(await resealWebhookSecrets(api.database, next)).toBeGreaterThan(0);
    const endpoint = await api.database.system().webhookEndpoints.find(user.id, id);
    const opened = next.open(endpoint?.secret ?? Buffer.alloc(0), id);
    expect(`whsec_${opened.toString('base64')}`).toBe(secret);
    expect(await resealWebhookSecrets(api.database, next)).toBe(0);
    await resealWebhookSecrets(
      api.database,
      createSealed(api.config.secretKey, ['another secret that is only good for tests: 9876']),
    );
  });

  test('changes are in the audit trail', async () => {
    const { id } = await create();
    await send('PATCH', `/${id}`, { event_types: ['a.b'] });
    await send('DELETE', `/${id}`);
    const events = await api.send('GET', '/users/me/audit-events', { token: user.token });
    expect(
      events
        .json()
        .items.map(({ action }: { action: string }) => action)
        .slice(0, 3),
    ).toEqual(['webhook_endpoint_deleted', 'webhook_endpoint_changed', 'webhook_endpoint_created']);
  });

  test('an account has at most ten endpoints', async () => {
    for (let n = 0; n < 10; n++) await create();
    expectProblem(await send('POST', '', { url }), 422, 'validation_failed');
  });

  test('returns 404 for the endpoint of another user, and 403 for their list', async () => {
    const { id } = await create();
    const other = await api.signUp();
    const as = (method: string, rest: string, body?: object) =>
      api.send(method, rest, { token: other.token, ...(body && { body }) });
    for (const [method, rest, body] of [
      ['GET', ''],
      ['PATCH', '', { event_types: [] }],
      ['DELETE', ''],
      ['POST', '/secret'],
      ['POST', '/ping'],
    ] as const) {
      expectProblem(await as(method, `${path}/${id}${rest}`, body), 404, 'not_found');
      expectProblem(await as(method, `/users/${user.id}/webhook-endpoints/${id}${rest}`, body), 403, 'forbidden');
    }
  });

  test('creating an endpoint needs a recent sign-in', async () => {
    api.clock.advance(700);
    expectProblem(await send('POST', '', { url }), 401, 'step_up_required');
  });
});

describe('without WEBHOOKS_PRIVATE', () => {
  test.each([
    ['http://hooks.example.com/', 'must begin with https://'],
    ['https://127.0.0.1/', 'is not a public address'],
    ['https://[::1]/', 'is not a public address'],
    ['https://user:secret@hooks.example.com/', 'must contain no username and password'],
    ['nonsense', 'is not a URL'],
  ])('the endpoint %s is refused: %s', async (target, message) => {
    const own = await startTestApp();
    try {
      const { token } = await own.signUp();
      const response = await own.send('POST', path, { token, body: { url: target } });
      const { errors } = expectProblem(response, 422, 'validation_failed');
      expect(errors).toEqual([{ in: 'body', pointer: '/url', message }]);
    } finally {
      await own.close();
    }
  });

  test('a message to a private address is not sent, and the attempt fails', async () => {
    const own = await startTestApp();
    try {
      const { id, token } = await own.signUp();
      const body = { url: 'https://hooks.example.com/' };
      expect((await own.send('POST', path, { token, body })).statusCode).toBe(201);
      await own.database.execute(`update webhook_endpoints set url = 'https://127.0.0.1:1/'`);
      await own.app.services.publishWebhook(own.database.system(), 'x', {}, { userId: id });
      await own.app.runner.runDue('publish webhook');
      await own.app.runner.runDue('deliver webhook');
      const failed = (await jobsIn(own.database)).filter(({ name }) => name === 'deliver-webhook');
      expect(failed).toMatchObject([{ state: 'retry', output: { message: 'is not a public address' } }]);
    } finally {
      await own.close();
    }
  });

  test('WEBHOOKS_PRIVATE is refused in production', () => {
    const env = testEnvironment({ NODE_ENV: 'production', WEBHOOKS_PRIVATE: 'true' });
    expect(() => parseConfig(env)).toThrow('WEBHOOKS_PRIVATE must be false in production');
  });
});
