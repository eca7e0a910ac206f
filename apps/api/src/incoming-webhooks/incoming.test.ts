import { createHmac } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@quoin/db/testing';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem, testEnvironment } from '../../testing/test-app.ts';
import { buildApp } from '../app.ts';
import { parseConfig } from '../config/config.ts';
import type { App } from '../http/schema.ts';
import { createRunner } from '../queue/runner.ts';
import { deleteOldWebhooks, incomingWebhookRoute, WebhookMessage } from './incoming.ts';
import { standardWebhooks, stripeWebhooks } from './signature.ts';

const secret = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
const earlier = `whsec_${Buffer.from('the secret that was used before').toString('base64')}`;
const stripeSecret = 'whsec_0123456789';

let database: TestDatabase;
let app: Awaited<ReturnType<typeof buildApp>>;
let now: Date;
let runner: ReturnType<typeof createRunner>;
const handled: WebhookMessage[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  app = await buildApp(parseConfig(testEnvironment()), database);
  const { jobs } = app.services;
  const define = (name: string) =>
    jobs.define({ name, data: WebhookMessage, run: async ({ data }) => void handled.push(data) });
  const services = { database, clock: () => now };
  const api = app as unknown as App;
  incomingWebhookRoute(api, services, {
    source: 'acme',
    verify: standardWebhooks([secret, earlier]),
    job: define('handle acme'),
  });
  incomingWebhookRoute(api, services, {
    source: 'stripe',
    verify: stripeWebhooks([stripeSecret]),
    job: define('handle stripe'),
  });
  await app.ready();
  runner = createRunner({ database, jobs, log: { info: () => {}, warn: () => {}, error: () => {} } });
});
beforeEach(async () => {
  await database.execute('delete from pgboss.job');
  now = new Date();
  handled.length = 0;
});
afterAll(async () => {
  await app.close();
  await database.close();
});

const send = (source: string, body: string, headers: Record<string, string>) =>
  app.inject({
    method: 'POST',
    url: `/webhooks/${source}`,
    payload: body,
    headers: { 'content-type': 'application/json', ...headers },
  });
/** Signs with the package of the standard. */
const acme = (id: string, body: string, { key = secret, at = now } = {}) =>
  send('acme', body, {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(key).sign(id, at, body),
  });
const stripe = (body: string, { key = stripeSecret, at = now } = {}) => {
  const t = Math.floor(at.getTime() / 1000);
  const v1 = createHmac('sha256', key).update(`${t}.${body}`).digest('hex');
  return send('stripe', body, { 'stripe-signature': `t=${t},v0=0000,v1=${'0'.repeat(64)},v1=${v1}` });
};

describe('an incoming webhook', () => {
  const body = JSON.stringify({ type: 'invoice.paid', data: { amount: 100, name: 'Zoë' } });

  test('a webhook signed by Standard Webhooks is answered at once and handled by a job', async () => {
    expect((await acme('msg_1', body)).statusCode).toBe(202);
    expect(handled).toEqual([]);
    await runner.runDue();
    expect(handled).toEqual([{ message_id: 'msg_1', message: JSON.parse(body) }]);
  });

  test('a webhook that is sent again is answered in the same way and handled once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => acme('msg_again', body)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(5).fill(202));
    await runner.runDue();
    expect((await acme('msg_again', body)).statusCode).toBe(202);
    await runner.runDue();
    expect(handled).toHaveLength(1);
  });

  test('while a secret is replaced, both secrets count', async () => {
    expect((await acme('msg_old_secret', body, { key: earlier })).statusCode).toBe(202);
    const other = `whsec_${Buffer.from('a secret that nobody has').toString('base64')}`;
    expectProblem((await acme('msg_other', body, { key: other })) as never, 401, 'invalid_credentials');
  });

  test('a webhook of Stripe is verified by any of its signatures, and known by the id of its event', async () => {
    const event = JSON.stringify({ id: 'evt_1', type: 'charge.succeeded' });
    expect((await stripe(event)).statusCode).toBe(202);
    expect((await stripe(event)).statusCode).toBe(202);
    await runner.runDue();
    expect(handled).toMatchObject([{ message_id: 'evt_1' }]);
    expectProblem((await stripe(event, { key: 'whsec_another' })) as never, 401, 'invalid_credentials');
    expectProblem((await stripe(JSON.stringify({ type: 'no id' }))) as never, 401, 'invalid_credentials');
  });

  test.each([
    ['a message that is six minutes old', () => acme('msg_2', body, { at: new Date(now.getTime() - 360_000) })],
    ['a message from six minutes ahead', () => acme('msg_2', body, { at: new Date(now.getTime() + 360_000) })],
    ['a message without a signature', () => send('acme', body, { 'webhook-id': 'msg_2' })],
    [
      'an event of Stripe that is six minutes old',
      () => stripe('{"id":"evt_2"}', { at: new Date(now.getTime() - 360_000) }),
    ],
    ['an event of Stripe without a signature', () => send('stripe', '{"id":"evt_2"}', {})],
  ])('%s gets 401 and is not handled', async (_, sending) => {
    expectProblem((await sending()) as never, 401, 'invalid_credentials');
    await runner.runDue();
    expect(handled).toEqual([]);
  });

  test('a body that was changed on the way gets 401', async () => {
    const headers = {
      'webhook-id': 'msg_3',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('msg_3', now, body),
    };
    expectProblem((await send('acme', body.replace('100', '999'), headers)) as never, 401, 'invalid_credentials');
    expectProblem((await send('acme', `${body} `, headers)) as never, 401, 'invalid_credentials');
    expect((await send('acme', body, headers)).statusCode).toBe(202);
  });

  test.each([
    ['no secret', () => standardWebhooks([])],
    ['an empty secret', () => standardWebhooks([''])],
    ['a secret without bytes', () => standardWebhooks(['whsec_'])],
    ['a secret that is too short', () => standardWebhooks(['whsec_c2hvcnQ='])],
    ['no secret of Stripe', () => stripeWebhooks([])],
    ['an empty secret of Stripe', () => stripeWebhooks([''])],
  ])('%s is refused when the route is added', (_, verifier) => {
    expect(verifier).toThrow(/secret/);
  });

  test('the ids of messages are deleted after a month', async () => {
    await acme('msg_old', body);
    expect(await deleteOldWebhooks(database, () => now)).toBe(0);
    expect(await deleteOldWebhooks(database, () => new Date(now.getTime() + 31 * 86_400_000))).toBeGreaterThan(0);
  });
});
