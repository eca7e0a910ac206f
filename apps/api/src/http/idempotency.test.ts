import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';
import { deleteOldAnswers } from './idempotency.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
let admin: typeof user;
beforeAll(async () => {
  api = await startTestApp();
  [user, admin] = [await api.signUp(), await api.signUpAdmin()];
});
afterAll(() => api.close());

const keyed = (
  method: string,
  path: string,
  body?: unknown,
  { key = randomUUID() as string, token = user.token } = {},
) => api.send(method, path, { token, body, headers: { 'idempotency-key': key } });
const titles = async (token = user.token) =>
  (await api.send('GET', '/users/me/tasks?limit=200', { token }))
    .json()
    .items.map(({ title }: { title: string }) => title);
const count = (all: string[], title: string) => all.filter((one) => one === title).length;
const replayed = (response: { headers: Record<string, unknown> }) => response.headers['idempotent-replayed'];

describe('Idempotency-Key', () => {
  test('a repeated POST creates one task and gets the first response', async () => {
    const key = randomUUID();
    const first = await keyed('POST', '/users/me/tasks', { title: 'Once' }, { key });
    const second = await keyed('POST', '/users/me/tasks', { title: 'Once' }, { key });
    expect([first.statusCode, replayed(first)]).toEqual([201, undefined]);
    expect([second.statusCode, replayed(second)]).toEqual([201, 'true']);
    expect(second.body).toBe(first.body);
    for (const name of ['location', 'etag', 'content-type']) expect(second.headers[name]).toBe(first.headers[name]);
    expect(count(await titles(), 'Once')).toBe(1);
  });

  test('a repeated request gets the first response even if the resource has changed or is gone', async () => {
    const { id } = (await keyed('POST', '/users/me/tasks', { title: 'Gone' })).json();
    const key = randomUUID();
    const path = `/users/me/tasks/${id}`;
    const first = await keyed('PATCH', path, { title: 'Changed' }, { key });
    const deletion = randomUUID();
    expect((await keyed('DELETE', path, undefined, { key: deletion })).statusCode).toBe(204);
    const again = await keyed('DELETE', path, undefined, { key: deletion });
    expect([again.statusCode, again.body, replayed(again)]).toEqual([204, '', 'true']);
    expectProblem(await keyed('DELETE', path), 404, 'not_found');
    expect((await keyed('PATCH', path, { title: 'Changed' }, { key })).body).toBe(first.body);
  });

  test.each([
    ['an input error', 'POST', '/users/me/tasks', { title: '' }, 422],
    ['a missing resource', 'PATCH', '/users/me/tasks/01999999-9999-7999-9999-999999999999', { title: 'x' }, 404],
    ['a wrong password', 'PATCH', '/users/me', { password: 'another good one', current_password: 'wrong' }, 403],
  ])('a repeated request gets the same error: %s', async (_, method, path, body, status) => {
    const key = randomUUID();
    const first = await keyed(method, path, body, { key });
    const second = await keyed(method, path, body, { key });
    expect([first.statusCode, second.statusCode, replayed(second)]).toEqual([status, status, 'true']);
    expect(second.body).toBe(first.body);
  });

  test('an Idempotency-Key sent with another body, path or method gets 409', async () => {
    const key = randomUUID();
    const { id } = (await keyed('POST', '/users/me/tasks', { title: 'First' }, { key })).json();
    for (const [method, path, body] of [
      ['POST', '/users/me/tasks', { title: 'Second' }],
      ['POST', '/users/me/documents', { title: 'First' }],
      ['PATCH', `/users/me/tasks/${id}`, { title: 'First' }],
      ['DELETE', `/users/me/tasks/${id}`],
    ] as const)
      expectProblem(await keyed(method, path, body, { key }), 409, 'idempotency_conflict');
    expect(count(await titles(), 'Second')).toBe(0);
    expect(count(await titles(), 'First')).toBe(1);
  });

  test('two users, or an admin and a user, can use the same Idempotency-Key', async () => {
    const stranger = await api.signUp();
    const key = randomUUID();
    const mine = (await keyed('POST', '/users/me/tasks', { title: 'Mine' }, { key })).json();
    const theirs = (await keyed('POST', '/users/me/tasks', { title: 'Mine' }, { key, token: stranger.token })).json();
    expect(theirs.id).not.toBe(mine.id);
    const forAnother = await keyed(
      'POST',
      `/users/${user.id}/tasks`,
      { title: 'By an admin' },
      { key, token: admin.token },
    );
    expect([forAnother.statusCode, forAnother.json().user_id]).toEqual([201, user.id]);
    const again = await keyed('POST', `/users/${user.id}/tasks`, { title: 'By an admin' }, { key, token: admin.token });
    expect([again.body, replayed(again)]).toEqual([forAnother.body, 'true']);
  });

  test('a repeated change of a password or creation of an account has one effect', async () => {
    const own = await api.signUp();
    const key = randomUUID();
    const change = { password: 'a second good password', current_password: password };
    const first = await keyed('PATCH', '/users/me', change, { key, token: own.token });
    expect(first.statusCode).toBe(200);
    expect((await keyed('PATCH', '/users/me', change, { key, token: own.token })).body).toBe(first.body);
    const account = { email: uniqueEmail(), password };
    const creation = randomUUID();
    const created = await keyed('POST', '/users', account, { key: creation, token: admin.token });
    expect(created.statusCode).toBe(201);
    expect((await keyed('POST', '/users', account, { key: creation, token: admin.token })).body).toBe(created.body);
  });
});

test('ten concurrent requests with one Idempotency-Key have one effect and one answer', async () => {
  const key = randomUUID();
  const twins = await Promise.all(
    Array.from({ length: 10 }, () => keyed('POST', '/users/me/tasks', { title: 'Twins' }, { key })),
  );
  expect(new Set(twins.map(({ body }) => body)).size).toBe(1);
  expect(twins.filter((twin) => replayed(twin) === undefined)).toHaveLength(1);
  expect(count(await titles(), 'Twins')).toBe(1);
});

test('concurrent deletions with one Idempotency-Key all get 204', async () => {
  const { id } = (await keyed('POST', '/users/me/tasks', { title: 'Twice' })).json();
  const key = randomUUID();
  const twins = await Promise.all(
    Array.from({ length: 5 }, () => keyed('DELETE', `/users/me/tasks/${id}`, undefined, { key })),
  );
  expect(twins.map(({ statusCode }) => statusCode)).toEqual([204, 204, 204, 204, 204]);
});

test('concurrent requests with one Idempotency-Key and different bodies have one effect', async () => {
  const key = randomUUID();
  const twins = await Promise.all(
    Array.from({ length: 6 }, (_, n) => keyed('POST', '/users/me/tasks', { title: `Different ${n}` }, { key })),
  );
  expect(twins.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409, 409, 409, 409, 409]);
  for (const twin of twins.filter(({ statusCode }) => statusCode === 409))
    expectProblem(twin, 409, 'idempotency_conflict');
  expect((await titles()).filter((title: string) => title.startsWith('Different'))).toHaveLength(1);
});

test('the answer is stored in the transaction of the effect, whatever the route', async () => {
  const own = await api.signUp();
  const document = { title: 'One', content: 'Text' };
  const routes = [
    ['POST', '/users/me/tasks', { title: 'x' }, 'tasks'],
    ['POST', '/users/me/documents', document, 'documents'],
    ['POST', '/users/me/documents/batch', { items: [document, document] }, 'documents'],
    ['PATCH', '/users/me/preferences', { theme: 'dark' }, 'user_preferences'],
    ['PATCH', '/users/me', { full_name: 'Ada' }, 'users'],
  ] as const;
  for (const [method, path, body, table] of routes) {
    const response = await keyed(method, path, body, { token: own.token });
    expect(response.statusCode).toBeLessThan(300);
    const column = table === 'users' ? 'id' : 'user_id';
    const { rows } = await api.database.inspect((connection) =>
      connection.query(
        `select from idempotency_keys k join ${table} t on t.${column} = k.user_id and t.xmin = k.xmin where k.user_id = $1 and k.body = $2`,
        [own.id, response.body],
      ),
    );
    expect([path, rows.length > 0]).toEqual([path, true]);
  }
});

test('every private POST, PATCH and DELETE outside /auth takes an Idempotency-Key, except searches', () => {
  const taking = api.app.routes
    .filter(({ config }) => config?.isIdempotent)
    .map(({ method, url }) => `${method} ${url.replace('/api/v1', '')}`)
    .sort();
  // A generated resource adds its own.
  expect(taking.filter((route) => / \/auth\/|^PUT|\/search$/.test(route))).toEqual([]);
  const expected = [
    'DELETE /users/:user_id',
    'DELETE /users/:user_id/documents/:document_id',
    'DELETE /users/:user_id/sessions',
    'DELETE /users/:user_id/tasks/:task_id',
    'DELETE /users/me',
    'PATCH /users/:user_id',
    'PATCH /users/:user_id/documents/:document_id',
    'PATCH /users/:user_id/tasks/:task_id',
    'PATCH /users/me',
    'PATCH /users/me/preferences',
    'POST /users',
    'POST /users/:user_id/documents',
    'POST /users/:user_id/documents/batch',
    'POST /users/:user_id/tasks',
  ];
  expect(taking).toEqual(expect.arrayContaining(expected));
});

test.each(['', 'a'.repeat(256), 'umlaut ä', 'tab\t'])('an Idempotency-Key of %j is an input error', async (key) => {
  expectProblem(await keyed('POST', '/users/me/tasks', { title: 'x' }, { key }), 422, 'validation_failed');
});

test('an Idempotency-Key of 255 printable characters works', async () => {
  expect(
    (await keyed('POST', '/users/me/tasks', { title: 'x' }, { key: ' ~'.repeat(127).padStart(255, 'a') })).statusCode,
  ).toBe(201);
});

test('an admin who is no longer one does not get stored responses about others', async () => {
  const former = await api.signUpAdmin();
  const key = randomUUID();
  const path = `/users/${user.id}/tasks`;
  expect((await keyed('POST', path, { title: 'Theirs' }, { key, token: former.token })).statusCode).toBe(201);
  await api.database.system().users.update(former.id, { is_admin: false });
  expectProblem(
    await keyed('POST', path, { title: 'Theirs' }, { key, token: former.token }),
    409,
    'idempotency_conflict',
  );
});

test('concurrent deletions of an account with different keys answer with problem documents', async () => {
  const leaver = await api.signUp();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () =>
      keyed('DELETE', '/users/me', { current_password: password }, { token: leaver.token }),
    ),
  );
  for (const { statusCode, headers } of answers)
    expect([204, 'application/problem+json; charset=utf-8', 'application/problem+json']).toContain(
      statusCode === 204 ? 204 : headers['content-type'],
    );
});

test('If-Match belongs to the request that a key is for', async () => {
  const { id } = (await keyed('POST', '/users/me/tasks', { title: 'x' })).json();
  const key = randomUUID();
  const change = (tag: string) =>
    api.send('PATCH', `/users/me/tasks/${id}`, {
      token: user.token,
      body: { title: 'y' },
      headers: { 'idempotency-key': key, 'if-match': tag },
    });
  expectProblem(await change('"stale"'), 412, 'precondition_failed');
  expectProblem(await change('"other"'), 409, 'idempotency_conflict');
});

test('an answer is kept for 24 hours', async () => {
  const key = randomUUID();
  const created = (await keyed('POST', '/users/me/tasks', { title: 'Yesterday' }, { key })).json();
  const later = (hours: number) => () => new Date(Date.now() + hours * 3_600_000);
  await deleteOldAnswers(api.database, later(23));
  expect((await keyed('POST', '/users/me/tasks', { title: 'Yesterday' }, { key })).json().id).toBe(created.id);
  expect(await deleteOldAnswers(api.database, later(25))).toBeGreaterThan(0);
  expect((await keyed('POST', '/users/me/tasks', { title: 'Yesterday' }, { key })).json().id).not.toBe(created.id);
});

test('stored answers contain neither the key nor the password of the request', async () => {
  const key = 'a key that must not be stored';
  const account = { email: uniqueEmail(), password: 'a password that must not be stored' };
  await keyed('POST', '/users', account, { key, token: admin.token });
  const { rows } = await api.database.inspect((connection) => connection.query('select * from idempotency_keys'));
  expect(JSON.stringify(rows)).not.toContain('must not be stored');
});
