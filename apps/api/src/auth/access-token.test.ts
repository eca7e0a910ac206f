import { createHmac, generateKeyPairSync } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
let user: Awaited<ReturnType<TestApp['signUp']>>;
let key: Uint8Array;
beforeAll(async () => {
  api = await startTestApp();
  user = await api.signUp();
  key = new TextEncoder().encode(api.config.secretKey);
});
afterAll(() => api.close());

const me = (token: string) => api.send('GET', '/users/me', { token });
const decode = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const claims = () => decode(user.token.split('.')[1]) as Record<string, string | number>;

test('an access token is a JWT by RFC 9068 that a foreign verifier accepts', async () => {
  const { payload, protectedHeader } = await jwtVerify(user.token, key, {
    algorithms: ['HS256'],
    issuer: 'quoin',
    audience: 'quoin',
    typ: 'at+jwt',
    subject: user.id,
  });
  expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'at+jwt' });
  expect(payload).toMatchObject({ client_id: 'quoin', jti: expect.any(String), sid: expect.any(String) });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
});

test('without a bearer token a request gets 401 missing_token', async () => {
  for (const authorization of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic dXNlcjpwYXNz',
    `Token ${user.token}`,
    `Bearer ${user.token} x`,
    user.token,
  ]) {
    const headers = authorization === undefined ? {} : { authorization };
    expectProblem(await api.send('GET', '/users/me', { headers }), 401, 'missing_token');
  }
  expect((await api.send('GET', '/users/me', { headers: { authorization: `bearer ${user.token}` } })).statusCode).toBe(
    200,
  );
});

describe('forged and foreign access tokens', () => {
  const sign = (
    header: Record<string, unknown>,
    payload: Record<string, unknown>,
    secret: string | Uint8Array = key,
  ) => {
    const input = `${encode(header)}.${encode(payload)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const header = { alg: 'HS256', typ: 'at+jwt' };
  const without = (name: string) => Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name));

  test.each<[string, () => string | Promise<string>]>([
    ['garbage', () => 'garbage'],
    ['three dots', () => '..'],
    ['a tampered payload', () => user.token.replace(/\.(.)/, (_, first) => `.${first === 'a' ? 'b' : 'a'}`)],
    ['a tampered signature', () => `${user.token.slice(0, -3)}abc`],
    ['alg: none', () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode(claims())}.`],
    [
      'alg: none with the old signature',
      () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${user.token.split('.').slice(1).join('.')}`,
    ],
    [
      'another algorithm',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS512', typ: 'at+jwt' })
          .sign(new Uint8Array([...key, ...key])),
    ],
    [
      'an asymmetric algorithm',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt' })
          .sign(generateKeyPairSync('ed25519').privateKey),
    ],
    ['another key', () => sign(header, claims(), 'another secret of more than 32 bytes')],
    ['an empty key', () => sign(header, claims(), '')],
    ['another issuer', () => sign(header, { ...claims(), iss: 'somebody' })],
    ['another audience', () => sign(header, { ...claims(), aud: 'somebody' })],
    ['another type', () => sign({ alg: 'HS256', typ: 'JWT' }, claims())],
    ['no type', () => sign({ alg: 'HS256' }, claims())],
    ['a critical header that nobody knows', () => sign({ ...header, crit: ['x'], x: 1 }, claims())],
    ['no expiry', () => sign(header, without('exp'))],
    ['an expiry that is a text', () => sign(header, { ...claims(), exp: '9999999999' })],
    ['no session', () => sign(header, without('sid'))],
    ['a session that does not exist', () => sign(header, { ...claims(), sid: '01999999-9999-7999-9999-999999999999' })],
    ['a session that is no UUID', () => sign(header, { ...claims(), sid: "' or 1=1" })],
    ['somebody else as its subject', () => sign(header, { ...claims(), sub: '01999999-9999-7999-9999-999999999999' })],
    ['a refresh token', () => user.refreshToken],
  ])('%s', async (_, make) => {
    expectProblem(await me(await make()), 401, 'invalid_token');
  });

  test('a valid token signed by the test itself is accepted', async () => {
    expect((await me(sign(header, claims()))).statusCode).toBe(200);
  });
});

test('an expired access token gets 401 expired_token', async () => {
  const { token } = await api.signUp();
  expect((await me(token)).statusCode).toBe(200);
  api.clock.advance(899);
  expect((await me(token)).statusCode).toBe(200);
  api.clock.advance(2);
  expectProblem(await me(token), 401, 'expired_token');
});

test('a deactivation, a demotion and a deletion count from the next request', async () => {
  const admin = await api.signUpAdmin();
  await api.signUpAdmin();
  expect((await api.send('GET', '/users', { token: admin.token })).statusCode).toBe(200);
  await api.database.system().users.update(admin.id, { is_admin: false });
  expectProblem(await api.send('GET', '/users', { token: admin.token }), 403, 'forbidden');
  await api.database.system().users.update(admin.id, { is_active: false });
  expectProblem(await me(admin.token), 401, 'invalid_token');
  await api.database.system().deletedAccounts.mark(admin.id, new Date());
  expectProblem(await me(admin.token), 401, 'invalid_token');
});

test('100 concurrent requests of 10 users get the right account each', async () => {
  const users = await Promise.all(Array.from({ length: 10 }, () => api.signUp()));
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => me(users[index % 10]?.token ?? '')));
  expect(answers.map((answer) => answer.json().id)).toEqual(answers.map((_, index) => users[index % 10]?.id));
});

test('the last use of a session is recorded once a minute, and a failed record fails no request', async () => {
  const { token, id } = await api.signUp();
  const lastUse = async () => {
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ last_used_at: Date }>('select last_used_at from user_sessions where user_id = $1', [id]),
    );
    return rows[0]?.last_used_at.getTime();
  };
  const signedIn = await lastUse();
  api.clock.advance(59);
  await me(token);
  api.clock.advance(2);
  const before = api.clock.now().getTime();
  await Promise.all(Array.from({ length: 20 }, () => me(token)));
  await expect.poll(lastUse).toBe(before);
  expect(signedIn).toBe(before - 61_000);
});

test('pending uses of sessions are written when the app closes', async () => {
  const own = await startTestApp();
  try {
    const { token } = await own.signUp();
    own.clock.advance(120);
    await own.send('GET', '/users/me', { token });
    await own.app.close();
    const { rows } = await own.database.inspect((connection) =>
      connection.query('select last_used_at from user_sessions'),
    );
    expect(rows).toEqual([{ last_used_at: own.clock.now() }]);
  } finally {
    await own.close();
  }
});
