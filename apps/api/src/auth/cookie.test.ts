import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPasskey, addTotp, assertionOf, codeAt, emailCode, firstFactor } from '../../testing/sign-in-steps.ts';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ APP_URL: 'https://app.example.com/start', CORS_ORIGINS: 'https://admin.example.com' });
});
afterAll(() => api.close());

type Answer = Awaited<ReturnType<TestApp['send']>>;

/** Returns the cookie as a browser would send it. */
const cookieOf = (answer: Answer) => [answer.headers['set-cookie']].flat().join().split(';')[0] ?? '';
const sameOrigin = { 'sec-fetch-site': 'same-origin' };
const asBrowser = (method: string, path: string, cookie: string, headers: Record<string, string> = sameOrigin) =>
  api.send(method, path, { headers: { cookie, ...headers } });

const signIn = (email: string, headers: Record<string, string> = {}) =>
  api.send('POST', '/auth/login', { body: { email, password, session: 'cookie' }, headers });

describe('a session cookie', () => {
  test('a session cookie cannot be read by scripts, and is Secure and bound to the host except on one’s own machine', async () => {
    const { email } = await api.register();
    const local = await signIn(email);
    expect(local.statusCode).toBe(204);
    expect(local.body).toBe('');
    expect(local.headers['set-cookie']).toMatch(
      /^quoin_session=[\w-]{91}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    const proxied = await signIn(email, { 'x-forwarded-proto': 'https' });
    expect(proxied.headers['set-cookie']).toMatch(/^__Host-quoin_session=.*; Secure;/);
    const remote = await signIn(email, { host: 'api.example.com' });
    expect(remote.headers['set-cookie']).toMatch(
      /^__Host-quoin_session=[\w-]{91}; Max-Age=2592000; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    const answer = await asBrowser('GET', '/users/me', cookieOf(local));
    expect(answer.json().email).toBe(email);
    const elsewhere = await asBrowser('GET', '/users/me', cookieOf(remote), { host: 'api.example.com' });
    expect(elsewhere.json().email).toBe(email);
  });

  test('every way to sign in can set a session cookie', async () => {
    const user = await api.signUp();
    const { challenge, code } = await emailCode(api, user.email);
    const byMail = { challenge, code, session: 'cookie' };
    expect((await api.send('POST', '/auth/email-code/confirm', { body: byMail })).statusCode).toBe(204);
    const again = await api.app.services.passwords.hash(password, { account: user.id, address: '' });
    await api.database.system().users.update(user.id, { password_hash: again });
    const tokens = await api.login(user.email);
    const { secret } = await addTotp(api, tokens.access_token);
    const own = { origin: 'https://app.example.com', rpId: 'app.example.com' };
    const { createAuthenticator } = await import('../../testing/authenticator.ts');
    const { authenticator } = await addPasskey(api, tokens.access_token, createAuthenticator(own));
    const { mfa_token } = await firstFactor(api, user.email);
    const ways = [
      { path: '/auth/mfa', body: { mfa_token, code: codeAt(api, secret) } },
      { path: '/auth/passkey', body: { credential: await assertionOf(api, authenticator) } },
    ];
    for (const { path, body } of ways) {
      const answer = await api.send('POST', path, { body: { ...body, session: 'cookie' } });
      expect(answer.statusCode).toBe(204);
      expect((await asBrowser('GET', '/users/me', cookieOf(answer))).statusCode).toBe(200);
    }
  });

  test('a request with a session cookie is refused if another site may have caused it', async () => {
    const { email } = await api.register();
    const cookie = cookieOf(await signIn(email));
    const refused: Record<string, string>[] = [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: 'https://app.example.com.evil.example' },
      { origin: 'http://app.example.com' },
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    ];
    for (const headers of refused)
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const path = method === 'PUT' ? '/users/me/preferences' : method === 'POST' ? '/users/me/tasks' : '/users/me';
        expectProblem(await asBrowser(method, path, cookie, headers), 403, 'csrf_failed');
      }
    const accepted: Record<string, string>[] = [
      sameOrigin,
      { origin: 'https://app.example.com' },
      { 'sec-fetch-site': 'cross-site', origin: 'https://admin.example.com' },
    ];
    for (const headers of accepted) {
      const body = { title: 'From a page' };
      const answer = await api.send('POST', '/users/me/tasks', { body, headers: { cookie, ...headers } });
      expect(answer.statusCode).toBe(201);
    }
    const form = await api.send('POST', '/users/me/tasks', {
      form: { title: 'x' },
      headers: { cookie, ...sameOrigin },
    });
    expectProblem(form, 415, 'unsupported_media_type');
  });

  test('a session cookie and an access token together are a malformed request', async () => {
    const user = await api.signUp();
    const cookie = cookieOf(await signIn(user.email));
    const both = await api.send('GET', '/users/me', { token: user.token, headers: { cookie } });
    expectProblem(both, 400, 'malformed_request');
  });

  test('signing out ends and clears the session cookie, and what the browser has stored', async () => {
    const { email } = await api.register();
    for (const path of ['/auth/logout', '/auth/logout-all']) {
      const cookie = cookieOf(await signIn(email));
      const answer = await asBrowser('POST', path, cookie);
      expect(answer.statusCode).toBe(204);
      expect(answer.headers['set-cookie']).toMatch(/^quoin_session=; .*Expires=Thu, 01 Jan 1970/);
      expect(answer.headers['clear-site-data']).toBe('"cache", "cookies", "storage"');
      expectProblem(await asBrowser('GET', '/users/me', cookie), 401, 'invalid_token');
    }
  });

  test('a session cookie gets a new value with a new proof; the old one works for requests under way', async () => {
    const { email } = await api.register();
    const before = cookieOf(await signIn(email));
    const answer = await api.send('POST', '/auth/step-up', {
      body: { password },
      headers: { cookie: before, ...sameOrigin },
    });
    expect(answer.statusCode).toBe(204);
    const after = cookieOf(answer);
    expect(after).not.toBe(before);
    expect((await asBrowser('GET', '/users/me', before)).statusCode).toBe(200);
    // A thief with the old value shares in no proof.
    const change = (cookie: string) =>
      api.send('PATCH', '/users/me', {
        body: { username: `name.${Date.now()}` },
        headers: { cookie, ...sameOrigin },
      });
    expectProblem(await change(before), 403, 'wrong_password');
    expect((await change(after)).statusCode).toBe(200);
    api.clock.advance(11);
    expectProblem(await asBrowser('GET', '/users/me', before), 401, 'invalid_token');
    expect((await asBrowser('GET', '/users/me', after)).statusCode).toBe(200);
  });

  test('a session cookie is not accepted as a refresh token, nor the reverse, and cannot be forged from a part', async () => {
    const user = await api.signUp();
    const cookie = cookieOf(await signIn(user.email));
    const value = cookie.split('=')[1] ?? '';
    const refresh = await api.send('POST', '/auth/refresh', { body: { refresh_token: value } });
    expectProblem(refresh, 401, 'invalid_token');
    expectProblem(await asBrowser('GET', '/users/me', `quoin_session=${user.refreshToken}`), 401, 'invalid_token');
    const bytes = Buffer.from(value, 'base64url');
    for (const index of [0, 16, 35, 36, 52, 67]) {
      const forged = Buffer.from(bytes);
      forged[index] = (forged[index] ?? 0) ^ 1;
      const answer = await asBrowser('GET', '/users/me', `quoin_session=${forged.toString('base64url')}`);
      expectProblem(answer, 401, 'invalid_token');
    }
  });

  test('a session cookie expires with its session, and a dead one does not keep anyone from a public page', async () => {
    const user = await api.register();
    const cookie = cookieOf(await signIn(user.email));
    api.clock.advance(8 * 86_400);
    const dead = await asBrowser('GET', '/users/me', cookie);
    expectProblem(dead, 401, 'invalid_token');
    // A removal could overtake a sign-in of another tab.
    expect(dead.headers['set-cookie']).toBeUndefined();
    const verify = (headers: Record<string, string>) =>
      api.send('POST', '/auth/email/verify', { body: { token: 'made up' }, headers: { cookie, ...headers } });
    expectProblem(await verify(sameOrigin), 422, 'validation_failed');
    expectProblem(await verify({}), 403, 'csrf_failed');
    const login = (headers: Record<string, string>) =>
      api.send('POST', '/auth/login', { body: { email: user.email, password }, headers: { cookie, ...headers } });
    expect((await login(sameOrigin)).headers['set-cookie']).toMatch(/^quoin_session=; /);
    expect((await login({ 'sec-fetch-site': 'same-site' })).headers['set-cookie']).toBeUndefined();
  });

  test('a session cookie counts for pages of other origins only if CORS_ORIGINS names them', async () => {
    const { email } = await api.register();
    const cookie = cookieOf(await signIn(email));
    const from = (origin: string) => asBrowser('GET', '/users/me', cookie, { origin });
    const named = await from('https://admin.example.com');
    expect(named.headers['access-control-allow-origin']).toBe('https://admin.example.com');
    expect(named.headers['access-control-allow-credentials']).toBe('true');
    expect((await from('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
    const open = await startTestApp({ CORS_ORIGINS: '*' });
    try {
      const answer = await open.send('GET', '/auth/methods', { headers: { origin: 'https://evil.example' } });
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    } finally {
      await open.close();
    }
  });
});
