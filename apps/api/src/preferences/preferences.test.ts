import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const url = '/users/me/preferences';
const defaults = { theme: 'system', locale: 'en', timezone: 'UTC', email_notifications: true, settings: {} };

test('preferences are defaults before the first write, and reading writes nothing', async () => {
  const { token } = await api.signUp();
  for (let n = 0; n < 2; n++) {
    const response = await api.send('GET', url, { token });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ ...defaults, updated_at: null });
  }
  expect((await api.send('PATCH', url, { token, body: {} })).json()).toEqual({ ...defaults, updated_at: null });
});

test('PATCH changes the sent preferences, PUT replaces all', async () => {
  const { token } = await api.signUp();
  const settings = { sidebar: { width: 240, tabs: ['a', null, 1.5, '🧱'] }, 'a/b': true, __a__: [] };
  const patched = await api.send('PATCH', url, { token, body: { theme: 'dark', settings } });
  expect(patched.json()).toEqual({ ...defaults, theme: 'dark', settings, updated_at: expect.stringMatching(/Z$/) });
  expect((await api.send('PATCH', url, { token, body: { locale: 'de-CH' } })).json()).toMatchObject({
    theme: 'dark',
    locale: 'de-CH',
    settings,
  });
  expect((await api.send('PATCH', url, { token, body: { settings: { only: 1 } } })).json().settings).toEqual({
    only: 1,
  });
  const body = { timezone: 'Europe/Zurich', email_notifications: false };
  expect((await api.send('PUT', url, { token, body })).json()).toEqual({
    ...defaults,
    ...body,
    updated_at: expect.any(String),
  });
  expect((await api.send('GET', url, { token })).json()).toEqual({
    ...defaults,
    ...body,
    updated_at: expect.any(String),
  });
});

test('preferences belong to their user', async () => {
  const [one, other] = [await api.signUp(), await api.signUp()];
  await api.send('PUT', url, { token: one.token, body: { theme: 'light' } });
  expect((await api.send('GET', url, { token: other.token })).json()).toEqual({ ...defaults, updated_at: null });
});

test('20 concurrent first writes create one row', async () => {
  const { token, id } = await api.signUp();
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => api.send('PUT', url, { token, body: { theme: 'dark' } })),
  );
  expect(responses.every(({ statusCode }) => statusCode === 200)).toBe(true);
  const { rows } = await api.database.inspect((connection) =>
    connection.query('select theme from user_preferences where user_id = $1', [id]),
  );
  expect(rows).toEqual([{ theme: 'dark' }]);
});

const nested = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);

test.each([
  ['a theme that is none', { theme: 'blue' }, '/theme'],
  ['a locale that is none', { locale: 'not_a_locale' }, '/locale'],
  ['an empty locale', { locale: '' }, '/locale'],
  ['a time zone that is none', { timezone: 'Mars/Olympus' }, '/timezone'],
  ['an offset for a time zone', { timezone: '+01:00' }, '/timezone'],
  ['settings that are a list', { settings: [] }, '/settings'],
  ['settings that are null', { settings: null }, '/settings'],
  ['a NUL deep in the settings', { settings: { a: [{ b: '\0' }] } }, '/settings/a/0/b'],
  ['a NUL in a name', { settings: { 'a\0': 1 } }, '/settings'],
  ['half of a surrogate pair', { settings: { a: '\udc00' } }, '/settings/a'],
  ['settings nested too deep', { settings: nested(100) }, ''],
  ['updated_at', { updated_at: '2026-01-01T00:00:00.000Z' }, '/updated_at'],
])('preferences reject %s and stay unchanged', async (_, body, pointer) => {
  const { token } = await api.signUp();
  for (const method of ['PUT', 'PATCH']) {
    const { errors } = expectProblem(await api.send(method, url, { token, body }), 422, 'validation_failed');
    expect(errors?.[0]?.pointer).toBe(pointer);
  }
  expect((await api.send('GET', url, { token })).json()).toEqual({ ...defaults, updated_at: null });
});

test('preferences require a token', async () => {
  for (const method of ['GET', 'PUT', 'PATCH']) {
    expectProblem(await api.send(method, url, method === 'GET' ? {} : { body: {} }), 401, 'missing_token');
  }
});

test('settings reject numbers beyond a double', async () => {
  const { token } = await api.signUp();
  const body = '{"settings":{"a":[1e999]}}';
  const response = await api.send('PATCH', url, { token, body, headers: { 'content-type': 'application/json' } });
  expect(expectProblem(response, 422, 'validation_failed').errors).toMatchObject([{ pointer: '/settings/a/0' }]);
});
