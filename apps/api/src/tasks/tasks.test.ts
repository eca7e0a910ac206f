import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
let stranger: typeof user;
beforeAll(async () => {
  api = await startTestApp();
  [user, stranger] = [await api.signUp(), await api.signUp()];
});
afterAll(() => api.close());

const noTask = '01999999-9999-7999-9999-999999999999';
const send = (method: string, path: string, body?: unknown, token = user.token) =>
  api.send(method, path, { token, body });
const create = async (body: unknown, token = user.token) => {
  const response = await send('POST', '/users/me/tasks', body, token);
  expect(response.statusCode).toBe(201);
  return response.json() as { id: string; title: string };
};

test('a task can be created, read, updated and deleted', async () => {
  const created = await send('POST', '/users/me/tasks', { title: 'Lay the cornerstone' });
  expect(created.statusCode).toBe(201);
  const task = created.json();
  expect(task).toEqual({
    id: expect.any(String),
    user_id: user.id,
    title: 'Lay the cornerstone',
    description: null,
    is_completed: false,
    created_at: expect.stringMatching(/\.\d{3}Z$/),
    updated_at: expect.stringMatching(/\.\d{3}Z$/),
  });
  const path = `/users/${user.id}/tasks/${task.id}`;
  expect(created.headers.location).toBe(`/api/v1${path}`);
  expect(created.headers['cache-control']).toBe('no-store');
  expect((await send('GET', path)).json()).toEqual(task);
  expect((await send('PATCH', path, { is_completed: true })).json()).toMatchObject({
    title: task.title,
    is_completed: true,
  });
  expect((await send('PUT', path, { title: 'Another', description: 'More' })).json()).toMatchObject({
    title: 'Another',
    description: 'More',
    is_completed: true,
  });
  expect((await send('PATCH', path, { description: null })).json()).toMatchObject({ description: null });
  expect((await send('PATCH', path, {})).json()).toMatchObject({ title: 'Another' });
  const deleted = await send('DELETE', path);
  expect([deleted.statusCode, deleted.body]).toEqual([204, '']);
  for (const [method, body] of [['GET'], ['PATCH', {}], ['PATCH', { title: 'x' }], ['PUT', {}], ['DELETE']] as [
    string,
    unknown?,
  ][]) {
    expectProblem(await send(method, path, body), 404, 'not_found');
  }
});

test('a task keeps its text unchanged', async () => {
  const title = ' 🧱👩‍👩‍👧‍👦 שלום العربية e\u0301 \t\u202E<script>"\'; drop table tasks; -- ';
  const description = '\n\r\n  \u{1F600} \u0001 \\u0000 %00 '.repeat(10);
  const { id } = await create({ title, description });
  expect((await send('GET', `/users/me/tasks/${id}`)).json()).toMatchObject({ title, description });
  expect((await create({ title: '🧱'.repeat(200) })).title).toBe('🧱'.repeat(200));
});

test.each([
  ['no title', {}, '/title'],
  ['an empty title', { title: '' }, '/title'],
  ['a blank title', { title: ' \n\t\u00A0\u3000' }, '/title'],
  ['a title of 201 characters', { title: '🧱'.repeat(201) }, '/title'],
  ['a title that is null', { title: null }, '/title'],
  ['a title that is a list', { title: ['x'] }, '/title'],
  ['a description of 10,001 characters', { title: 'x', description: 'x'.repeat(10_001) }, '/description'],
  ['is_completed as a text', { title: 'x', is_completed: 'true' }, '/is_completed'],
  ['a NUL in the title', { title: 'x\0' }, '/title'],
  ['half of a surrogate pair', { title: 'x\ud800' }, '/title'],
  ['a user_id', { title: 'x', user_id: noTask }, '/user_id'],
])('creating a task answers 422 for %s', async (_, body, pointer) => {
  const { errors } = expectProblem(await send('POST', '/users/me/tasks', body), 422, 'validation_failed');
  expect(errors?.[0]).toMatchObject({ in: 'body', pointer });
});

describe('tasks of another user', () => {
  test('tasks of another user answer 403 under their owner and 404 under one’s own id', async () => {
    const { id } = await create({ title: 'Private' });
    const requests: [string, string, unknown?][] = [
      ['GET', `/${id}`],
      ['PATCH', `/${id}`, { title: 'Mine now' }],
      ['PUT', `/${id}`, { title: 'Mine now' }],
      ['DELETE', `/${id}`],
    ];
    for (const [method, path, body] of requests) {
      expectProblem(await send(method, `/users/${user.id}/tasks${path}`, body, stranger.token), 403, 'forbidden');
      expectProblem(await send(method, `/users/me/tasks${path}`, body, stranger.token), 404, 'not_found');
      expectProblem(await send(method, `/users/${stranger.id}/tasks${path}`, body, stranger.token), 404, 'not_found');
      expectProblem(await api.send(method, `/users/${user.id}/tasks${path}`, { body }), 401, 'missing_token');
    }
    expectProblem(await send('GET', `/users/${user.id}/tasks`, undefined, stranger.token), 403, 'forbidden');
    expectProblem(await send('POST', `/users/${user.id}/tasks`, { title: 'x' }, stranger.token), 403, 'forbidden');
    expect((await send('GET', `/users/me/tasks/${id}`)).json()).toMatchObject({ title: 'Private' });
    expect((await send('GET', '/users/me/tasks', undefined, stranger.token)).json()).toEqual({
      items: [],
      next_cursor: null,
    });
  });

  test('another user’s task answers the same bytes as a missing one', async () => {
    const { id } = await create({ title: 'Private' });
    const headers = { 'x-request-id': 'the-same' };
    const [theirs, missing] = [
      await api.send('GET', `/users/me/tasks/${id}`, { token: stranger.token, headers }),
      await api.send('GET', `/users/me/tasks/${noTask}`, { token: stranger.token, headers }),
    ];
    expect(theirs.body.replace(id, noTask)).toBe(missing.body);
  });

  test('an admin manages the tasks of one user at a time', async () => {
    const admin = await api.signUpAdmin();
    const { id } = await create({ title: 'Seen by an admin' });
    const path = `/users/${user.id}/tasks`;
    expect((await send('GET', `${path}/${id}`, undefined, admin.token)).statusCode).toBe(200);
    expect((await send('PATCH', `${path}/${id}`, { is_completed: true }, admin.token)).json()).toMatchObject({
      user_id: user.id,
    });
    expect((await send('POST', path, { title: 'From above' }, admin.token)).json()).toMatchObject({ user_id: user.id });
    expectProblem(await send('GET', `/users/${stranger.id}/tasks/${id}`, undefined, admin.token), 404, 'not_found');
    expectProblem(await send('POST', `/users/${noTask}/tasks`, { title: 'For nobody' }, admin.token), 404, 'not_found');
    expect((await send('GET', `/users/${noTask}/tasks`, undefined, admin.token)).json()).toEqual({
      items: [],
      next_cursor: null,
    });
    expect((await send('DELETE', `${path}/${id}`, undefined, admin.token)).statusCode).toBe(204);
  });

  test('malformed task ids answer 422', async () => {
    expectProblem(await send('GET', '/users/you/tasks'), 422, 'validation_failed');
    expectProblem(await send('GET', '/users/me/tasks/1'), 422, 'validation_failed');
    expectProblem(await send('GET', `/users/me/tasks/${'x'.repeat(1500)}`), 422, 'validation_failed');
    expectProblem(await send('GET', `/users/%00/tasks`), 422, 'validation_failed');
  });
});

describe('the list of tasks', () => {
  const list = async (token: string, query = '') =>
    (await send('GET', `/users/me/tasks?${query}`, undefined, token)).json();
  const titles = (page: { items: { title: string }[] }) => page.items.map(({ title }) => title);

  test('the task list is paged, newest first, regardless of insertions and deletions', async () => {
    const { token } = await api.signUp();
    const made = [];
    for (let n = 1; n <= 10; n++) made.push(await create({ title: `Task ${n}` }, token));
    const first = await list(token, 'limit=4');
    expect(titles(first)).toEqual(['Task 10', 'Task 9', 'Task 8', 'Task 7']);
    await create({ title: 'Task 11' }, token);
    await send('DELETE', `/users/me/tasks/${made[6]?.id}`, undefined, token); // the last of the page
    await send('DELETE', `/users/me/tasks/${made[5]?.id}`, undefined, token); // the first of the next
    const second = await list(token, `limit=4&cursor=${first.next_cursor}`);
    expect(titles(second)).toEqual(['Task 5', 'Task 4', 'Task 3', 'Task 2']);
    const third = await list(token, `limit=4&cursor=${second.next_cursor}`);
    expect(titles(third)).toEqual(['Task 1']);
    expect(third.next_cursor).toBeNull();
    expect((await list(token, 'limit=10')).next_cursor).toBeNull(); // nine are left
  });

  test('the task list filters by completion and text', async () => {
    const { token } = await api.signUp();
    await create({ title: 'Buy 100% wool', is_completed: true }, token);
    await create({ title: 'Buy 1000 nails', description: 'For THE_WALL' }, token);
    expect(titles(await list(token, 'is_completed=true'))).toEqual(['Buy 100% wool']);
    expect(titles(await list(token, 'is_completed=false&q=buy'))).toEqual(['Buy 1000 nails']);
    expect(titles(await list(token, 'q=100%25'))).toEqual(['Buy 100% wool']);
    expect(titles(await list(token, 'q=the_wall'))).toEqual(['Buy 1000 nails']);
    expect(titles(await list(token, 'q=the%25wall'))).toEqual([]);
    expect(titles(await list(token, 'q=%5C'))).toEqual([]);
    expect(titles(await list(token, 'skip=1'))).toEqual(['Buy 100% wool']);
  });

  test('the task list rejects malformed and foreign cursors, and cursor with skip', async () => {
    const { token, id } = await api.signUp();
    for (let n = 0; n < 3; n++) await create({ title: 'x' }, token);
    const { next_cursor } = await list(token, 'limit=1');
    const bytes = Buffer.from(next_cursor, 'base64url');
    const tampered = Array.from(bytes, (byte, index) =>
      Buffer.from(bytes)
        .fill(byte ^ 1, index, index + 1)
        .toString('base64url'),
    );
    for (const cursor of [
      ...tampered,
      `${next_cursor}A`,
      next_cursor.slice(0, -2),
      `${next_cursor}=`,
      'x'.repeat(300),
    ]) {
      expectProblem(await send('GET', `/users/me/tasks?cursor=${cursor}`, undefined, token), 422, 'validation_failed');
    }
    expectProblem(
      await send('GET', `/users/me/tasks?cursor=${next_cursor}&skip=1`, undefined, token),
      422,
      'validation_failed',
    );
    expectProblem(
      await send('GET', `/users/me/tasks?cursor=${next_cursor}`, undefined, stranger.token),
      422,
      'validation_failed',
    );
    const admin = await api.signUpAdmin();
    expectProblem(await send('GET', `/users?cursor=${next_cursor}`, undefined, admin.token), 422, 'validation_failed');
    expect((await send('GET', `/users/${id}/tasks?cursor=${next_cursor}`, undefined, admin.token)).statusCode).toBe(
      200,
    );
  });
});

test('a filtered page ends after 5,000 tasks, and its next_cursor continues', async () => {
  const { id, token } = await api.signUp();
  const rare = await create({ title: 'A rare word', is_completed: true }, token);
  // Newer than the rare one.
  await api.database.maintain((connection) =>
    connection.query(
      `insert into tasks (id, user_id, title)
       select ('ffffffff-ffff-7fff-bfff-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 'Common' from generate_series(1, 10000) n`,
      [id],
    ),
  );
  for (const filter of ['q=RARE', 'is_completed=true']) {
    const pages: { items: { id: string }[]; next_cursor: string | null }[] = [];
    do {
      const cursor = pages.at(-1)?.next_cursor;
      pages.push(
        (await send('GET', `/users/me/tasks?${filter}${cursor ? `&cursor=${cursor}` : ''}`, undefined, token)).json(),
      );
    } while (pages.at(-1)?.next_cursor);
    expect(pages.map(({ items }) => items.map((task) => task.id))).toEqual([[], [], [rare.id]]);
  }
  expect((await send('GET', '/users/me/tasks?q=common&limit=2', undefined, token)).json().items).toHaveLength(2);
});
