import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
let admin: typeof user;
beforeAll(async () => {
  api = await startTestApp();
  [user, admin] = [await api.signUp(), await api.signUpAdmin()];
});
afterAll(() => api.close());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = user.token) =>
  api.send(method, path, { token, body, headers });
const tagOf = async (path: string, token = user.token) =>
  String((await send('GET', path, undefined, {}, token)).headers.etag);

/** A path of each resource with an ETag, a change of it, and who may make it. */
const resources = async () => {
  const task = (await send('POST', '/users/me/tasks', { title: 'x' })).json();
  const document = (await send('POST', '/users/me/documents', { title: 'x', content: 'x' })).json();
  return [
    { path: `/users/me/tasks/${task.id}`, change: { title: 'y' }, token: user.token },
    { path: `/users/me/documents/${document.id}`, change: { title: 'y' }, token: user.token },
    { path: '/users/me/preferences', change: { theme: 'dark' }, token: user.token },
    { path: '/users/me', change: { full_name: 'Ada' }, token: user.token },
    { path: `/users/${user.id}`, change: { full_name: 'Ada King' }, token: admin.token },
  ];
};

test('If-Match: a change of the current version works, and of an older one fails with 412', async () => {
  for (const { path, change, token } of await resources()) {
    const tag = await tagOf(path, token);
    expect([path, tag]).toEqual([path, expect.stringMatching(/^"[\w-]+"$/)]);
    const changed = await send('PATCH', path, change, { 'if-match': tag }, token);
    expect([path, changed.statusCode]).toEqual([path, 200]);
    expect([path, changed.headers.etag]).toEqual([path, await tagOf(path, token)]);
    expect(changed.headers.etag).not.toBe(tag);
    const late = await send('PATCH', path, change, { 'if-match': tag }, token);
    expectProblem(late, 412, 'precondition_failed');
    expectProblem(await send('PATCH', path, {}, { 'if-match': tag }, token), 412, 'precondition_failed');
    for (const list of ['*', `"other", ${changed.headers.etag}`])
      expect([path, (await send('PATCH', path, {}, { 'if-match': list }, token)).statusCode]).toEqual([path, 200]);
  }
});

test('If-Match: a weak tag, a tag without quotes and an empty list never match', async () => {
  const { path = '' } = (await resources())[0] ?? {};
  const tag = await tagOf(path);
  for (const list of [`W/${tag}`, tag.slice(1, -1), ''])
    expectProblem(await send('PATCH', path, { title: 'z' }, { 'if-match': list }), 412, 'precondition_failed');
});

test('If-Match: a resource that is gone is 404, and one that has changed is not deleted', async () => {
  const [task, document] = await resources();
  for (const { path } of [task, document].filter((one) => one !== undefined)) {
    const tag = await tagOf(path);
    await send('PATCH', path, { title: 'changed' });
    expectProblem(await send('DELETE', path, undefined, { 'if-match': tag }), 412, 'precondition_failed');
    expect((await send('DELETE', path, undefined, { 'if-match': await tagOf(path) })).statusCode).toBe(204);
    expectProblem(await send('DELETE', path, undefined, { 'if-match': tag }), 404, 'not_found');
  }
});

test('If-Match: an account that has changed is not deleted, by its owner or by an admin', async () => {
  const own = await api.signUp();
  const tag = await tagOf('/users/me', own.token);
  await send('PATCH', '/users/me', { full_name: 'Changed' }, {}, own.token);
  const body = { current_password: password };
  expectProblem(await send('DELETE', '/users/me', body, { 'if-match': tag }, own.token), 412, 'precondition_failed');
  const byAdmin = await send('DELETE', `/users/${own.id}`, undefined, { 'if-match': tag }, admin.token);
  expectProblem(byAdmin, 412, 'precondition_failed');
  const current = await tagOf('/users/me', own.token);
  expect((await send('DELETE', '/users/me', body, { 'if-match': current }, own.token)).statusCode).toBe(204);
});

test('If-Match: of ten concurrent changes of one version, one succeeds', async () => {
  const { path = '' } = (await resources())[0] ?? {};
  const tag = await tagOf(path);
  const changes = await Promise.all(
    Array.from({ length: 10 }, (_, n) => send('PATCH', path, { title: `Change ${n}` }, { 'if-match': tag })),
  );
  expect(changes.map(({ statusCode }) => statusCode).sort()).toEqual([200, ...Array(9).fill(412)]);
});

test('If-Match: preferences that were never written have a version', async () => {
  const own = await api.signUp();
  const tag = await tagOf('/users/me/preferences', own.token);
  const put = (ifMatch: string) =>
    send('PUT', '/users/me/preferences', { theme: 'dark' }, { 'if-match': ifMatch }, own.token);
  expectProblem(await put('"1"'), 412, 'precondition_failed');
  expect((await put(tag)).statusCode).toBe(200);
  expectProblem(await put(tag), 412, 'precondition_failed');
});

test('If-None-Match: 304 without a body for the current version', async () => {
  for (const { path, change, token } of await resources()) {
    const tag = await tagOf(path, token);
    for (const list of [tag, `W/${tag}`, `"a", ${tag}`, '*']) {
      const response = await send('GET', path, undefined, { 'if-none-match': list }, token);
      expect([path, response.statusCode, response.body, response.headers.etag]).toEqual([path, 304, '', tag]);
    }
    await send('PATCH', path, change, {}, token);
    expect((await send('GET', path, undefined, { 'if-none-match': tag }, token)).statusCode).toBe(200);
  }
});

test('a document whose embedding was computed has a new ETag, and a change of the older one still works', async () => {
  const document = (await send('POST', '/users/me/documents', { title: 'x', content: 'x' })).json();
  const path = `/users/me/documents/${document.id}`;
  const tag = await tagOf(path);
  await api.database.maintain((connection) =>
    connection.query(
      `update documents set embedding = array_fill(0.1, array[768])::vector, embedding_model = 'test' where id = $1`,
      [document.id],
    ),
  );
  expect((await send('GET', path, undefined, { 'if-none-match': tag })).json()).toMatchObject({ has_embedding: true });
  expect((await send('PATCH', path, { title: 'y' }, { 'if-match': tag })).statusCode).toBe(200);
});

test('a client-supplied embedding changes the version of a document', async () => {
  const embedding = Array.from({ length: 768 }, (_, n) => (n === 0 ? 1 : 0));
  const document = (await send('POST', '/users/me/documents', { title: 'x', content: 'x', embedding })).json();
  const path = `/users/me/documents/${document.id}`;
  const tag = await tagOf(path);
  expect((await send('PATCH', path, { embedding: embedding.toReversed() }, { 'if-match': tag })).statusCode).toBe(200);
  expectProblem(await send('PATCH', path, { embedding }, { 'if-match': tag }), 412, 'precondition_failed');
});

test('accounts that were created in one statement have different ETags', async () => {
  const emails = ['one', 'two'].map((name) => `${name}-${Date.now()}@example.com`);
  await api.database.system().users.createMany(emails.map((email) => ({ email, password_hash: 'x' })));
  const users = await Promise.all(emails.map((email) => api.database.system().users.findByEmail(email)));
  const tags = await Promise.all(users.map((one) => tagOf(`/users/${one?.id}`, admin.token)));
  expect(new Set(tags).size).toBe(2);
});
