import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const register = (body: unknown) => api.send('POST', '/auth/register', { body });

describe('register', () => {
  test('register creates an account and returns it without the password, with Location', async () => {
    const response = await register({
      email: '  Ada.Lovelace@Example.COM ',
      password,
      username: 'Ada',
      full_name: 'Ada 🧮 Lovelace',
    });
    expect(response.statusCode).toBe(201);
    expect(response.headers.location).toBe('/api/v1/users/me');
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      kind: 'person',
      email: 'ada.lovelace@example.com',
      username: 'Ada',
      full_name: 'Ada 🧮 Lovelace',
      is_active: true,
      is_admin: false,
      email_verified_at: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.any(String),
    });
  });

  test.each([
    ['no email', { password }, '/email'],
    ['an empty email', { email: '', password }, '/email'],
    ['an email without @', { email: 'ada.example.com', password }, '/email'],
    ['an email without a dot behind the @', { email: 'ada@localhost', password }, '/email'],
    ['an email with two @', { email: 'a@b@example.com', password }, '/email'],
    ['an email with a space', { email: 'a da@example.com', password }, '/email'],
    ['an email with two dots in a row', { email: 'a..b@example.com', password }, '/email'],
    [
      'an email of 256 characters',
      { email: `${'a'.repeat(64)}@${'b.'.repeat(90)}${'c'.repeat(7)}.com`, password },
      '/email',
    ],
    ['an email that is a number', { email: 7, password }, '/email'],
    ['no password', { email: uniqueEmail() }, '/password'],
    ['a password of 7 characters', { email: uniqueEmail(), password: 'x9!kQ2z' }, '/password'],
    ['a password of 8 bytes but 4 characters', { email: uniqueEmail(), password: 'éàüö' }, '/password'],
    [
      'a password that shrinks to 4 when normalized',
      { email: uniqueEmail(), password: 'e\u0301a\u0300u\u0308o\u0308' },
      '/password',
    ],
    ['a password of 257 characters', { email: uniqueEmail(), password: 'xyz'.repeat(90).slice(0, 257) }, '/password'],
    ['a common password', { email: uniqueEmail(), password: 'password123' }, '/password'],
    ['a common password in capitals', { email: uniqueEmail(), password: 'PASSWORD123' }, '/password'],
    ['the email as the password', { email: 'self@example.com', password: 'SELF@example.com' }, '/password'],
    [
      'the first part of the email as the password',
      { email: 'long.name@example.com', password: 'Long.Name' },
      '/password',
    ],
    [
      'the username as the password',
      { email: uniqueEmail(), username: 'my_user_name', password: 'MY_USER_NAME' },
      '/password',
    ],
    [
      'the username with a year behind it',
      { email: uniqueEmail(), username: 'Grace.H', password: 'grace-h-2026!' },
      '/password',
    ],
    [
      'the email’s first part with digits around it',
      { email: 'al.gore@example.com', password: '123al.gore123' },
      '/password',
    ],
    ['a username of 2 characters', { email: uniqueEmail(), password, username: 'ab' }, '/username'],
    ['a username of 51 characters', { email: uniqueEmail(), password, username: 'a'.repeat(51) }, '/username'],
    ['a username with an @', { email: uniqueEmail(), password, username: 'ada@home' }, '/username'],
    ['an empty full name', { email: uniqueEmail(), password, full_name: '' }, '/full_name'],
    ['a full name of 256 characters', { email: uniqueEmail(), password, full_name: 'a'.repeat(256) }, '/full_name'],
    ['is_admin', { email: uniqueEmail(), password, is_admin: true }, '/is_admin'],
    ['a field that nobody knows', { email: uniqueEmail(), password, 'a/b~c': 1 }, '/a~1b~0c'],
  ])('register rejects %s with a pointer', async (_, body, pointer) => {
    const { errors } = expectProblem(await register(body), 422, 'validation_failed');
    expect(errors?.map((error) => error.pointer)).toContain(pointer);
    expect(errors?.every((error) => error.in === 'body' && error.message)).toBe(true);
  });

  test('register reports all errors at once', async () => {
    const { errors } = expectProblem(
      await register({ email: 'x', password: 'short', extra: 1 }),
      422,
      'validation_failed',
    );
    expect(errors?.map((error) => error.pointer).sort()).toEqual(['/email', '/extra', '/password']);
  });

  test('register accepts any 256 characters as password, normalized and without truncation', async () => {
    const decomposed = 'cafe\u0301 \u{1F511} שלום';
    const long = '🔑'.repeat(256);
    for (const secret of [decomposed, long]) {
      const { email } = await api.register({ password: secret });
      await api.login(email, secret.normalize('NFKC'));
      expectProblem(
        await api.send('POST', '/auth/login', { body: { email, password: `${[...secret].slice(0, -1).join('')}!` } }),
        401,
        'invalid_credentials',
      );
    }
  });

  test('register answers 409 for a taken email or username in any case and Unicode form', async () => {
    const user = await api.register({ email: 'kelvin@example.com', username: 'Kelvin' });
    expectProblem(await register({ email: 'KELVIN@EXAMPLE.COM', password }), 409, 'email_taken');
    expectProblem(await register({ email: 'ｋelvin@example.com', password }), 409, 'email_taken');
    expectProblem(await register({ email: '\u212Aelvin@example.com', password }), 409, 'email_taken');
    expectProblem(await register({ email: uniqueEmail(), username: 'kELVIN', password }), 409, 'username_taken');
    expect(user.email).toBe('kelvin@example.com');
  });

  test('one of 50 concurrent registrations of an email succeeds', async () => {
    const email = uniqueEmail();
    const responses = await Promise.all(Array.from({ length: 50 }, () => register({ email, password })));
    const statuses = responses.map(({ statusCode }) => statusCode).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 49 }, () => 409)]);
  });
});

describe('login', () => {
  test('login accepts the OAuth 2 form or JSON, with email or username in any case', async () => {
    const { email } = await api.register({ username: 'Grace.Hopper' });
    const bodies = [
      {
        form: {
          grant_type: 'password',
          username: email.toUpperCase(),
          password,
          scope: '',
          client_id: '',
          client_secret: '',
        },
      },
      { form: { username: 'grace.hopper', password } },
      { body: { email, password } },
      { body: { username: 'GRACE.HOPPER', password } },
      { body: { username: ` ${email} `, password } },
    ];
    for (const options of bodies) {
      const response = await api.send('POST', '/auth/login', options);
      expect(response.statusCode).toBe(200);
      expect(response.headers['cache-control']).toBe('no-store');
      expect(response.json()).toEqual({
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        refresh_token: expect.stringMatching(/^[\w-]{91}$/),
        token_type: 'bearer',
        expires_in: 900,
      });
    }
  });

  test('login answers the same for an unknown name and a wrong password', async () => {
    const { email } = await api.register();
    const headers = { 'x-request-id': 'the-same' };
    const wrong = await api.send('POST', '/auth/login', { body: { email, password: 'not the password' }, headers });
    const unknown = await api.send('POST', '/auth/login', { body: { email: uniqueEmail(), password }, headers });
    expectProblem(wrong, 401, 'invalid_credentials');
    expect(unknown.body).toBe(wrong.body);
    expect({ ...unknown.headers, date: '' }).toEqual({ ...wrong.headers, date: '' });
    expect(wrong.json()).toMatchObject({ error: 'invalid_grant', error_description: expect.any(String) });
  });

  test('login answers account_inactive only after the right password', async () => {
    const { id, email } = await api.register();
    await api.database.system().users.update(id, { is_active: false });
    expectProblem(await api.send('POST', '/auth/login', { body: { email, password } }), 403, 'account_inactive');
    expectProblem(
      await api.send('POST', '/auth/login', { body: { email, password: 'not the password' } }),
      401,
      'invalid_credentials',
    );
  });

  test.each([
    ['an empty name', { body: { email: '', password } }],
    ['an empty password', { body: { email: 'a@example.com', password: '' } }],
    ['a password of 257 characters', { body: { email: 'a@example.com', password: 'x'.repeat(257) } }],
    ['a field that nobody knows', { body: { email: 'a@example.com', password, remember_me: true } }],
    ['a form without a name', { form: { password } }],
    ['a form with an email', { form: { email: 'a@example.com', password } }],
  ])('login rejects %s', async (_, options) => {
    const problem = expectProblem(await api.send('POST', '/auth/login', options), 422, 'validation_failed');
    expect(problem).toMatchObject({ error: 'invalid_request' });
  });

  test.each([
    ['neither email nor username', { password }],
    ['both', { email: 'a@example.com', username: 'a', password }],
  ])('login rejects %s with 415 and names the accepted types', async (_, body) => {
    const problem = expectProblem(await api.send('POST', '/auth/login', { body }), 422, 'validation_failed');
    expect(problem.errors).toEqual([{ in: 'body', pointer: '', message: 'needs exactly one of email, username' }]);
  });

  test('login answers unsupported_grant_type for another grant', async () => {
    const response = await api.send('POST', '/auth/login', {
      form: { grant_type: 'client_credentials', username: 'a', password },
    });
    expect(expectProblem(response, 422, 'validation_failed')).toMatchObject({ error: 'unsupported_grant_type' });
  });

  test('login fails if the password changes while it is verified', async () => {
    const user = await api.signUp();
    const row = await api.database.system().users.find(user.id);
    await api.send('PATCH', '/users/me', {
      token: user.token,
      body: { password: 'another horse battery', current_password: password },
    });
    const isUnchanged = await api.database.system().users.lockUnchanged(user.id, row?.password_hash ?? '');
    expect(isUnchanged).toBe(false);
  });
});

test('a session records the client address: from a trusted proxy without port, mapped IPv6 as IPv4', async () => {
  const own = await startTestApp({ TRUST_PROXY: '1' });
  try {
    const { id, email } = await own.register();
    const from = async (headers: Record<string, string>, remoteAddress: string, app: TestApp) => {
      await app.send('POST', '/auth/login', { body: { email, password }, headers, remoteAddress });
      const { rows } = await own.database.inspect((connection) =>
        connection.query(
          `select host(ip_address) as ip, user_agent from user_sessions where user_id = $1 order by id desc limit 1`,
          [id],
        ),
      );
      return rows[0];
    };
    const agent = { 'user-agent': `Agent ${'x'.repeat(300)}` };
    const forwarded = (value: string) => ({ 'x-forwarded-for': value });
    expect(await from({ ...agent, ...forwarded('198.51.100.7, 203.0.113.9') }, '10.0.0.1', own)).toEqual({
      ip: '203.0.113.9',
      user_agent: agent['user-agent'].slice(0, 255),
    });
    expect(await from(forwarded("'; drop table users; --"), '10.0.0.1', own)).toMatchObject({ ip: '10.0.0.1' });
    for (const written of ['203.0.113.9:4711', '[::ffff:203.0.113.9]:4711', '::ffff:203.0.113.9'])
      expect(await from(forwarded(written), '10.0.0.1', own)).toMatchObject({ ip: '203.0.113.9' });
    expect(await from(forwarded('[2001:db8::1]:4711'), '10.0.0.1', own)).toMatchObject({ ip: '2001:db8::1' });
    expect(await from({}, 'fe80::1%eth0', own)).toMatchObject({ ip: 'fe80::1' });
    expect(await from({}, '::ffff:192.0.2.1', own)).toMatchObject({ ip: '192.0.2.1' });
  } finally {
    await own.close();
  }
});

describe('logout', () => {
  test('logout ends the access and refresh tokens of this session only', async () => {
    const { email } = await api.register();
    const [one, other] = [await api.login(email), await api.login(email)];
    const response = await api.send('POST', '/auth/logout', { token: one.access_token });
    expect([response.statusCode, response.body]).toEqual([204, '']);
    expectProblem(await api.send('GET', '/auth/me', { token: one.access_token }), 401, 'invalid_token');
    expectProblem(
      await api.send('POST', '/auth/refresh', { body: { refresh_token: one.refresh_token } }),
      401,
      'invalid_token',
    );
    expectProblem(await api.send('POST', '/auth/logout', { token: one.access_token }), 401, 'invalid_token');
    expect((await api.send('GET', '/auth/me', { token: other.access_token })).statusCode).toBe(200);
  });

  test('logout-all ends every session of the user and of no other user', async () => {
    const stranger = await api.signUp();
    const { email } = await api.register();
    const [one, other] = [await api.login(email), await api.login(email)];
    expect((await api.send('POST', '/auth/logout-all', { token: one.access_token })).statusCode).toBe(204);
    for (const tokens of [one, other]) {
      expectProblem(await api.send('GET', '/auth/me', { token: tokens.access_token }), 401, 'invalid_token');
      expectProblem(
        await api.send('POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } }),
        401,
        'invalid_token',
      );
    }
    expect((await api.send('GET', '/auth/me', { token: stranger.token })).statusCode).toBe(200);
  });
});

test('GET /auth/me equals GET /users/me', async () => {
  const { token } = await api.signUp();
  const [one, other] = [await api.send('GET', '/auth/me', { token }), await api.send('GET', '/users/me', { token })];
  expect(one.statusCode).toBe(200);
  expect(one.body).toBe(other.body);
});
