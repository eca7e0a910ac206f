import { Type } from '@fastify/type-provider-typebox';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';
import { formats } from './formats.ts';
import { checkBody } from './validation.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
const json = { 'content-type': 'application/json' };
beforeAll(async () => {
  api = await startTestApp();
  user = await api.signUp();
});
afterAll(() => api.close());

describe('the cost of a body', () => {
  const documents = '/users/me/documents';
  test('validation of lists stops at 50 errors and at 10,000 values', async () => {
    const batch = (items: unknown[]) =>
      api.send('POST', `${documents}/batch`, { token: user.token, headers: json, body: JSON.stringify({ items }) });
    expect(expectProblem(await batch(Array(400).fill('x')), 422, 'validation_failed').errors).toHaveLength(50);
    const many = expectProblem(await batch(Array(2_000_000).fill(1)), 422, 'validation_failed');
    expect(many.errors).toEqual([{ in: 'body', pointer: '', message: 'has more than 10000 values' }]);
    const strings = expectProblem(await batch(Array(20_000).fill('x')), 422, 'validation_failed');
    expect(strings.errors).toEqual([{ in: 'body', pointer: '', message: 'has more than 10000 values' }]);
  });

  test('validation checks nothing after the 50th error', () => {
    const isUuid = vi.spyOn(formats, 'uuid');
    try {
      const list = Type.Array(Type.String({ format: 'uuid', maxLength: 36 }));
      expect(() => checkBody(list, Array(1_000).fill('none'))).toThrow('body /0 must be a UUID');
      expect(isUuid).toHaveBeenCalledTimes(50);
    } finally {
      isUuid.mockRestore();
    }
  });

  test('metadata and settings have limits of bytes and values', async () => {
    const create = (metadata: unknown) =>
      api.send('POST', documents, {
        token: user.token,
        headers: json,
        body: JSON.stringify({ title: 't', content: 'c', metadata }),
      });
    expect((await create({ text: 'x'.repeat(16_000) })).statusCode).toBe(201);
    expect(expectProblem(await create({ text: 'x'.repeat(17_000) }), 422, 'validation_failed').errors).toEqual([
      { in: 'body', pointer: '/metadata', message: 'must have at most 16384 bytes as JSON' },
    ]);
    expect(expectProblem(await create({ list: Array(1_000).fill('') }), 422, 'validation_failed').errors).toEqual([
      { in: 'body', pointer: '/metadata', message: 'must have at most 1000 values' },
    ]);
    const put = (settings: unknown) =>
      api.send('PUT', '/users/me/preferences', {
        token: user.token,
        headers: json,
        body: JSON.stringify({ settings }),
      });
    expect((await put({ text: 'x'.repeat(65_000) })).statusCode).toBe(200);
    expect(expectProblem(await put({ text: 'x'.repeat(66_000) }), 422, 'validation_failed').errors?.[0]?.pointer).toBe(
      '/settings',
    );
  });

  test('patterns and formats are not checked for strings beyond maxLength', async () => {
    const { errors } = expectProblem(
      await api.send('POST', '/auth/register', {
        body: { email: 'x'.repeat(8_000), password: 'x', username: ' '.repeat(6_000) },
      }),
      422,
      'validation_failed',
    );
    expect(errors?.map(({ pointer, message }) => `${pointer} ${message}`)).toEqual([
      '/email must NOT have more than 255 characters',
      '/password must NOT have fewer than 8 characters',
      '/username must NOT have more than 50 characters',
    ]);
  });
});

test.each([
  ['/health', undefined],
  ['//health/ready', undefined],
  ['/users/me', 'signed in'],
  ['/users/me/tasks?limit=1', 'signed in'],
  ['/auth/sessions', 'signed in'],
])('GET %s answers 422 to an unknown query parameter', async (path, isSignedIn) => {
  const url = `${path}${path.includes('?') ? '&' : '?'}unknown=1`;
  const { errors } = expectProblem(
    await api.send('GET', url, { token: isSignedIn && user.token }),
    422,
    'validation_failed',
  );
  expect(errors).toEqual([{ in: 'query', pointer: '/unknown', message: 'unknown field' }]);
});

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
    ['16 KB of [', '['.repeat(16 * 1000)],
    ['a raw NUL', '{"email":"a\0b"}'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['a prototype', '{"__proto__":{"is_admin":true}}'],
    ['a constructor’s prototype', '{"constructor":{"prototype":{"is_admin":true}}}'],
  ])('a body of %s answers 400', async (_, body) => {
    expectProblem(await post(body), 400, 'malformed_json');
  });

  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['nesting of 8,000 levels', `${'['.repeat(8_000)}${']'.repeat(8_000)}`],
    ['nesting in an unknown field', `{"x":${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}}`],
  ])('a body of %s answers 422', async (_, body) => {
    expectProblem(await post(body), 422, 'validation_failed');
  });

  test('a body with 1,000 unknown fields answers 422 with 50 errors', async () => {
    const body = JSON.stringify(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`f${n}`, 1])));
    const { errors } = expectProblem(await post(body), 422, 'validation_failed');
    expect(errors).toHaveLength(50);
  });

  test.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'nonsense',
  ])('a body of type %s answers 415', async (type) => {
    expectProblem(await post('email=a', { 'content-type': type }), 415, 'unsupported_media_type');
  });

  test.each([
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'Content-Encoding'],
    [{ 'content-type': 'application/json; charset=utf-16' }, 'UTF-8'],
  ])('a body with %o answers 415', async (headers, detail) => {
    expect(expectProblem(await post('{}', headers as never), 415, 'unsupported_media_type').detail).toContain(detail);
  });

  test('a JSON body with media type parameters is accepted', async () => {
    const body = JSON.stringify({ email: uniqueEmail(), password });
    expect((await post(body, { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(201);
  });

  test('an empty body of any type is accepted by routes without a body', async () => {
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

  test.each([
    ['POST', '/auth/register', 16 * 1024],
    ['POST', '/auth/refresh', 16 * 1024],
    ['PATCH', '/users/me', 16 * 1024],
    ['PUT', '/users/me/preferences', 128 * 1024],
    ['POST', '/users/me/tasks', 1024 * 1024],
    ['POST', '/users/me/documents/batch', 16 * 1024 * 1024],
  ])('%s %s accepts %d bytes and answers 413 for one more', async (method, path, bytesMax) => {
    const largest = JSON.stringify({ unknown: 'x'.repeat(bytesMax - '{"unknown":""}'.length) });
    const send = (body: string, headers = json) => api.send(method, path, { token: user.token, headers, body });
    expectProblem(await send(largest), 422, 'validation_failed');
    expectProblem(await send(`${largest} `), 413, 'payload_too_large');
    const chunked = { ...json, 'transfer-encoding': 'chunked' };
    expectProblem(await send(`${largest} `, chunked), 413, 'payload_too_large');
  });

  test('forms reject NUL characters and repeated parameters', async () => {
    const form = { username: 'a\0', password };
    expectProblem(await api.send('POST', '/auth/login', { form }), 422, 'validation_failed');
    const twice = await api.send('POST', '/auth/login', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'username=a&username=b&password=x',
    });
    expectProblem(twice, 422, 'validation_failed');
    const plain = await api.send('POST', '/auth/login', { headers: { 'content-type': 'text/plain' }, body: 'x' });
    expect(expectProblem(plain, 415, 'unsupported_media_type').detail).toBe(
      'Send application/json or application/x-www-form-urlencoded.',
    );
    expectProblem(await api.send('POST', '/auth/login', { headers: json, body: '{' }), 400, 'malformed_json');
  });
});
