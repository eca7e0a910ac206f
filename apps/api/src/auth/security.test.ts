import { globSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

// Requirements of OWASP ASVS 5.0 that concern several features: docs/security.md names each of these tests.

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ RATE_LIMIT: 'true', TRUST_PROXY: '1' });
});
afterAll(() => api.close());

let nextAddress = 0;
const headers = () => ({ 'x-forwarded-for': `198.51.100.${++nextAddress % 250}` });
const register = (body: object) => api.send('POST', '/auth/register', { body, headers: headers() });
const signIn = (options: object) => api.send('POST', '/auth/login', { headers: headers(), ...options });
const signUp = async (account: object = {}) => {
  const body = { email: uniqueEmail(), password, ...account };
  const { id } = (await register(body)).json();
  const { access_token: token, refresh_token } = (await signIn({ body: { email: body.email, password } })).json();
  return { ...body, id: id as string, token: token as string, refresh_token: refresh_token as string };
};
const signUpAdmin = async () => {
  const admin = await signUp();
  await api.database.system().users.update(admin.id, { is_admin: true });
  return admin;
};

test.each([
  ['a common password', 'Password123', 'most common passwords'],
  ['a word of the product', 'quoin2026!', 'a name that attackers try first'],
])('%s is rejected as password at registration, change, reset, and by an admin', async (_, weak, message) => {
  const user = await signUp();
  const { token } = await signUpAdmin();
  await api.send('POST', '/auth/password/forgot', { body: { email: user.email }, headers: headers() });
  const resetToken = await api.tokenFor('reset-password', user.email);
  const answers = [
    await register({ email: uniqueEmail(), password: weak }),
    await api.send('PATCH', '/users/me', { token: user.token, body: { password: weak, current_password: password } }),
    await api.send('POST', '/auth/password/reset', {
      body: { token: resetToken, new_password: weak },
      headers: headers(),
    }),
    await api.send('POST', '/users', { token, body: { email: uniqueEmail(), password: weak } }),
    await api.send('PATCH', `/users/${user.id}`, { token, body: { password: weak } }),
  ];
  for (const answer of answers) expect(expectProblem(answer, 422, 'validation_failed').detail).toContain(message);
});

test('a password must match exactly: case, spaces and length', async () => {
  const exact = ` Correct Horse ${'x'.repeat(200)} `;
  const email = uniqueEmail();
  expect((await register({ email, password: exact })).statusCode).toBe(201);
  const others = [exact.toLowerCase(), exact.trim(), `${exact} `, exact.slice(0, -2), exact.slice(0, 72)];
  for (const other of others)
    expectProblem(await signIn({ body: { email, password: other } }), 401, 'invalid_credentials');
  expect((await signIn({ body: { email, password: exact } })).statusCode).toBe(200);
});

test('every form of login rejects a wrong password, and a deactivated account after the right one', async () => {
  const username = `u${Date.now()}`;
  const user = await signUp({ username });
  const ways = (secret: string) => [
    { body: { email: user.email, password: secret } },
    { body: { username, password: secret } },
    { body: { username: user.email, password: secret } },
    { form: { username: user.email, password: secret } },
    { form: { username, password: secret, grant_type: 'password' } },
  ];
  const answersTo = async (secret: string) => {
    const answers = [];
    for (const way of ways(secret)) {
      const own = headers();
      const type = 'form' in way ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
      answers.push(await api.send('POST', '/auth/login', { ...way, headers: { ...own, ...type } }));
    }
    return answers;
  };
  for (const answer of await answersTo('not the password')) expectProblem(answer, 401, 'invalid_credentials');
  for (const answer of await answersTo(password)) expect(answer.statusCode).toBe(200);
  await api.database.system().users.update(user.id, { is_active: false });
  for (const answer of await answersTo('not the password')) expectProblem(answer, 401, 'invalid_credentials');
  for (const answer of await answersTo(password)) expectProblem(answer, 403, 'account_inactive');
});

test('shipped code uses node:crypto, not Math.random', () => {
  const files = globSync('{apps/api,packages/db}/src/**/*.ts').filter((file) => !file.endsWith('.test.ts'));
  expect(files.length).toBeGreaterThan(80);
  for (const file of files) expect(readFileSync(file, 'utf8'), file).not.toContain('Math.random');
});

test('guessing mail tokens is limited per address', async () => {
  const from = { 'x-forwarded-for': '203.0.113.77' };
  for (const [path, body] of [
    ['/auth/password/reset', { token: 'guess', new_password: 'another horse battery' }],
    ['/auth/email/verify', { token: 'guess' }],
  ] as const) {
    const statuses: number[] = [];
    for (let n = 0; n < 61; n++) statuses.push((await api.send('POST', path, { body, headers: from })).statusCode);
    expect(statuses).toEqual([...Array(60).fill(422), 429]);
  }
});

test('every sign-in creates a session with new tokens, and re-authentication creates none', async () => {
  const user = await signUp();
  const second = (await signIn({ body: { email: user.email, password } })).json();
  expect(new Set([user.token, second.access_token, user.refresh_token, second.refresh_token]).size).toBe(4);
  const body = { password: 'another horse battery', current_password: password };
  const changed = await api.send('PATCH', '/users/me', { token: user.token, body });
  expect(changed.statusCode).toBe(200);
  expect(changed.body).not.toMatch(/token/);
  const sessions = (await api.send('GET', '/auth/sessions', { token: user.token })).json().items;
  expect(sessions).toHaveLength(1);
});

test('deactivation and deletion end every access and refresh token', async () => {
  const { token } = await signUpAdmin();
  for (const [method, body] of [
    ['PATCH', { is_active: false }],
    ['DELETE', undefined],
  ] as const) {
    const user = await signUp();
    const other = (await signIn({ body: { email: user.email, password } })).json();
    const ended = await api.send(method, `/users/${user.id}`, { token, body });
    expect([200, 204]).toContain(ended.statusCode);
    for (const access of [user.token, other.access_token])
      expectProblem(await api.send('GET', '/users/me', { token: access }), 401, 'invalid_token');
    for (const refresh_token of [user.refresh_token, other.refresh_token])
      expectProblem(
        await api.send('POST', '/auth/refresh', { body: { refresh_token }, headers: headers() }),
        401,
        'invalid_token',
      );
  }
});

test('users cannot read password hashes or write admin fields', async () => {
  const user = await signUp();
  const me = (await api.send('GET', '/users/me', { token: user.token })).json();
  expect(Object.keys(me).sort()).toEqual([
    'created_at',
    'email',
    'email_verified_at',
    'full_name',
    'id',
    'is_active',
    'is_admin',
    'kind',
    'updated_at',
    'username',
  ]);
  const forbidden = {
    id: '01999999-9999-7999-9999-999999999999',
    is_admin: true,
    is_active: false,
    email_verified_at: '2026-01-01T00:00:00.000Z',
    created_at: '2026-01-01T00:00:00.000Z',
    password_hash: 'x',
  };
  for (const [field, value] of Object.entries(forbidden)) {
    const body = { [field]: value, current_password: password };
    const { errors } = expectProblem(
      await api.send('PATCH', '/users/me', { token: user.token, body }),
      422,
      'validation_failed',
    );
    expect(errors).toEqual([{ in: 'body', pointer: `/${field}`, message: 'unknown field' }]);
  }
  expect((await api.send('GET', '/users/me', { token: user.token })).json()).toEqual(me);
});
