import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../testing.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
const json = { 'content-type': 'application/json' };
beforeAll(async () => {
  api = await startTestApp();
  user = await api.signUp();
});
afterAll(() => api.close());

describe('a body', () => {
  const post = (body: unknown, headers: Record<string, string> = json) =>
    api.send('POST', '/auth/register', { body, headers });

  test.each([
    ['nothing', ''],
    ['half an object', '{"email":'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"email":"a@example.com",}'],
    ['single quotes', "{'email':1}"],
    ['NaN', '{"email":NaN}'],
    ['a megabyte of [', '['.repeat(1024 * 1024)],
    ['a raw NUL', '{"email":"a\0b"}'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['a prototype', '{"__proto__":{"is_admin":true}}'],
    ['a constructor’s prototype', '{"constructor":{"prototype":{"is_admin":true}}}'],
  ])('of %s is 400', async (_, body) => {
    expectProblem(await post(body), 400, 'malformed_json');
  });

  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['nesting of 400,000 levels', `${'['.repeat(400_000)}${']'.repeat(400_000)}`],
    ['nesting in a field that nobody knows', `{"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`],
  ])('of %s is 422', async (_, body) => {
    expectProblem(await post(body), 422, 'validation_failed');
  });

  test('with 100,000 unknown fields is refused with a bounded answer', async () => {
    const body = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`f${n}`, 1])));
    const response = await post(body.slice(0, 1024 * 1024 - 1).replace(/,"f\d*"?:?\d*$/, '}'));
    const { errors } = expectProblem(response, 422, 'validation_failed');
    expect(errors?.length).toBeLessThanOrEqual(50);
  });

  test.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'nonsense',
  ])('of type %s is 415', async (type) => {
    expectProblem(await post('email=a', { 'content-type': type }), 415, 'unsupported_media_type');
  });

  test('of any JSON type with parameters is taken', async () => {
    const body = JSON.stringify({ email: uniqueEmail(), password });
    expect((await post(body, { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(201);
  });

  test('that is empty is none where none is asked for, whatever type it is said to be', async () => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
      const { access_token: token } = await api.login(user.email);
      const task = await api.send('POST', '/users/me/tasks', { token, body: { title: 'x' } });
      const headers = { 'content-type': type };
      expect(
        (await api.send('DELETE', `/users/me/tasks/${task.json().id}`, { token, headers, body: '' })).statusCode,
      ).toBe(204);
      expect((await api.send('POST', '/auth/logout', { token, headers, body: '' })).statusCode).toBe(204);
    }
  });

  test('of more than a mebibyte is 413, with and without its length', async () => {
    const body = JSON.stringify({ email: 'x'.repeat(1024 * 1024) });
    expectProblem(await post(body), 413, 'payload_too_large');
    expectProblem(await post(body, { ...json, 'transfer-encoding': 'chunked' }), 413, 'payload_too_large');
  });

  test('as a form is taken by login and refresh, and has no NUL either', async () => {
    const form = { username: 'a\0', password };
    expectProblem(await api.send('POST', '/auth/login', { form }), 422, 'validation_failed');
    const twice = await api.send('POST', '/auth/login', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'username=a&username=b&password=x',
    });
    expectProblem(twice, 422, 'validation_failed');
    expectProblem(
      await api.send('POST', '/auth/login', { headers: { 'content-type': 'text/plain' }, body: 'x' }),
      415,
      'unsupported_media_type',
    );
    expectProblem(await api.send('POST', '/auth/login', { headers: json, body: '{' }), 400, 'malformed_json');
  });
});
