import { scopeOf } from '@quoin/db/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCategory } from '../../testing/categories.ts';
import { createProduct } from '../../testing/products.ts';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';
import { signStandardWebhook } from '../incoming-webhooks/signature.ts';

const key = Buffer.alloc(32, 'payment');
const orders = '/users/me/orders';
const address = '1 Kiln Lane';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ PAYMENT_SECRET: `whsec_${key.toString('base64')}` });
});
afterAll(() => api.close());

const productWith = async (stock: number, price = '2.50') =>
  createProduct(api, { stock, price, category_id: (await createCategory(api)).id });
const stockOf = async ({ path }: { path: string }) => (await api.send('GET', path)).json().stock;
const place = (token: string, items: object[], more = {}) =>
  api.send('POST', orders, { token, body: { address, items, ...more } });

test('an order takes stock, keeps its prices, and is confirmed by mail', async () => {
  const [brick, tile] = [await productWith(10), await productWith(3, '0.10')];
  const user = await api.signUp();
  const placed = await place(user.token, [
    { product_id: brick.id, quantity: 2 },
    { product_id: tile.id, quantity: 3 },
  ]);
  expect(placed.statusCode).toBe(201);
  expect(placed.json()).toMatchObject({ user_id: user.id, address, status: 'placed', total: '5.30' });
  expect([await stockOf(brick), await stockOf(tile)]).toEqual([8, 0]);
  await api.send('PATCH', brick.path, { token: brick.token, body: { price: '9.00' } });
  const { items } = (await api.send('GET', `${orders}/${placed.json().id}/items`, { token: user.token })).json();
  expect(items.map(({ price }: { price: string }) => price).sort()).toEqual(['0.10', '2.50']);
  expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('Your order');
});

test('an order that the stock does not suffice for changes nothing', async () => {
  const [brick, tile] = [await productWith(10), await productWith(1)];
  const user = await api.signUp();
  const items = [brick, tile].map(({ id }) => ({ product_id: id, quantity: 2 }));
  expectProblem(await place(user.token, items), 409, 'out_of_stock');
  expect([await stockOf(brick), await stockOf(tile)]).toEqual([10, 1]);
  expect((await api.send('GET', orders, { token: user.token })).json().items).toEqual([]);
  expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).not.toContain('Your order');
});

test.each([
  ['nothing', []],
  ['a product twice', [1, 1]],
])('an order of %s is refused', async (_, quantities) => {
  const { id } = await productWith(5);
  const items = quantities.map((quantity) => ({ product_id: id, quantity }));
  expectProblem(await place((await api.signUp()).token, items), 422, 'validation_failed');
  const unknown = [{ product_id: crypto.randomUUID(), quantity: 1 }];
  expectProblem(await place((await api.signUp()).token, unknown), 422, 'validation_failed');
});

test('of 60 orders at the same time, as many succeed as there are pieces', async () => {
  const product = await productWith(7);
  const { token } = await api.signUp();
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => place(token, [{ product_id: product.id, quantity: 1 }])),
  );
  const statuses = answers.map(({ statusCode }) => statusCode);
  expect(statuses.filter((status) => status === 201)).toHaveLength(7);
  expect(statuses.filter((status) => status === 409)).toHaveLength(53);
  expect(await stockOf(product)).toBe(0);
});

test('an order that is repeated with its Idempotency-Key takes stock once', async () => {
  const product = await productWith(5);
  const { token } = await api.signUp();
  const body = { address, items: [{ product_id: product.id, quantity: 1 }] };
  const headers = { 'idempotency-key': crypto.randomUUID() };
  const [first, second] = [
    await api.send('POST', orders, { token, body, headers }),
    await api.send('POST', orders, { token, body, headers }),
  ];
  expect(second.body).toBe(first.body);
  expect(await stockOf(product)).toBe(4);
});

test('members read the orders that are shared with their organization, and others do not', async () => {
  const [team, others] = [await api.newOrganization(), await api.newOrganization()];
  const items = [{ product_id: (await productWith(5)).id, quantity: 1 }];
  const shared = await place(team.member.token, items, { organization_id: team.id });
  await place(team.member.token, items);
  const path = `${team.path}/orders`;
  const ofTeam = (await api.send('GET', path, { token: team.owner.token })).json();
  expect(ofTeam.items).toEqual([shared.json()]);
  const itemsPath = `${path}/${shared.json().id}/items`;
  expect((await api.send('GET', itemsPath, { token: team.admin.token })).json().items).toHaveLength(1);
  expectProblem(await api.send('GET', itemsPath, { token: others.owner.token }), 404, 'not_found');
  expectProblem(await place(team.member.token, items, { organization_id: others.id }), 422, 'validation_failed');
  const { id } = shared.json();
  for (const { token } of [team.owner, others.owner])
    expectProblem(await api.send('GET', `${orders}/${id}`, { token }), 404, 'not_found');
});

test('nobody changes what was ordered: neither a client nor a user’s unit of work', async () => {
  const user = await api.signUp();
  const { id } = (await place(user.token, [{ product_id: (await productWith(5)).id, quantity: 1 }])).json();
  for (const body of [{ total: '0.01' }, { status: 'paid' }])
    expectProblem(await api.send('PATCH', `${orders}/${id}`, { token: user.token, body }), 422, 'validation_failed');
  expect((await api.send('DELETE', `${orders}/${id}`, { token: user.token })).statusCode).toBe(405);
  const { userId } = scopeOf(user.id).owner;
  for (const statement of ['update orders set total = 0', 'delete from order_items', 'delete from orders'])
    await expect(api.database.inspect(({ queryWith }) => queryWith({ userId }, statement, []))).rejects.toMatchObject({
      code: '42501',
    });
});

test('a signed message about the whole payment makes an order paid, once', async () => {
  const user = await api.signUp();
  const order = (await place(user.token, [{ product_id: (await productWith(5)).id, quantity: 2 }])).json();
  const pay = async (id: string, amount: string, secret = key) => {
    const timestamp = String(Math.floor(api.clock.now().getTime() / 1000));
    const body = JSON.stringify({
      type: 'payment.succeeded',
      data: { user_id: user.id, order_id: order.id, amount },
    });
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signStandardWebhook(secret, id, timestamp, Buffer.from(body))}`,
    };
    const { statusCode } = await api.send('POST', '/webhooks/payments', { body, headers });
    await api.app.runner.runDue('handle payment');
    return statusCode;
  };
  const status = async () => (await api.send('GET', `${orders}/${order.id}`, { token: user.token })).json().status;
  expect([await pay('a', '0.01'), await status()]).toEqual([202, 'placed']);
  expect([await pay('b', order.total, Buffer.alloc(32)), await status()]).toEqual([401, 'placed']);
  expect([await pay('c', order.total), await status()]).toEqual([202, 'paid']);
  expect([await pay('c', order.total), await status()]).toEqual([202, 'paid']);
});
