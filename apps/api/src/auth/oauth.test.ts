import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { ResourceOwnerPassword } from 'simple-oauth2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addTotp } from '../../testing/sign-in-steps.ts';
import { password, startTestApp, type TestApp, testAuthlib } from '../../testing/test-app.ts';

// Clients that know nothing of this server but its URL. They send real requests.

let api: TestApp;
let origin: string;
let user: Awaited<ReturnType<TestApp['signUp']>>;
beforeAll(async () => {
  api = await startTestApp();
  origin = await api.app.listen({ host: '127.0.0.1', port: 0 });
  user = await api.signUp();
});
afterAll(() => api.close());

const emailOf = async (token: string) => (await api.send('GET', '/users/me', { token })).json().email;

describe('clients of OAuth 2', () => {
  test('oauth4webapi discovers the server, signs in, refreshes, and understands errors', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const client = { client_id: 'app' };
    const url = new URL(origin);
    const discovery = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure });
    const server = await oauth.processDiscoveryResponse(url, discovery);
    const signIn = async (secret: string) => {
      const parameters = { username: user.email, password: secret };
      const none = oauth.None();
      const answer = oauth.genericTokenEndpointRequest(server, client, none, 'password', parameters, insecure);
      return oauth.processGenericTokenEndpointResponse(server, client, await answer);
    };
    const refresh = async (token = '') => {
      const answer = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, insecure);
      return oauth.processRefreshTokenResponse(server, client, answer);
    };
    const first = await signIn(password);
    const second = await refresh(first.refresh_token);
    expect(await emailOf(second.access_token)).toBe(user.email);
    const refused = { error: 'invalid_grant', status: 400, error_description: expect.any(String) };
    await expect(signIn('wrong')).rejects.toMatchObject(refused);
    await expect(refresh('wrong')).rejects.toMatchObject(refused);
  });

  test('openid-client discovers the server, signs in, refreshes, and understands errors', async () => {
    const options = { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] } as const;
    const config = await openid.discovery(new URL(origin), 'app', undefined, openid.None(), {
      ...options,
      execute: [...options.execute],
    });
    const signIn = (secret: string) =>
      openid.genericGrantRequest(config, 'password', { username: user.email, password: secret, scope: 'anything' });
    const first = await signIn(password);
    const second = await openid.refreshTokenGrant(config, first.refresh_token ?? '');
    expect(await emailOf(second.access_token)).toBe(user.email);
    await expect(signIn('wrong')).rejects.toMatchObject({ error: 'invalid_grant', status: 400 });
  });

  test.each([
    ['the body', { client: { id: 'app', secret: '' }, options: { authorizationMethod: 'body' as const } }],
    ['a Basic header', { client: { id: 'app', secret: 'any secret' } }],
  ])('simple-oauth2 signs in and refreshes, with its client id in %s, and understands errors', async (_, options) => {
    const client = new ResourceOwnerPassword({
      auth: { tokenHost: origin, tokenPath: '/api/v1/oauth/token' },
      ...options,
    });
    const first = await client.getToken({ username: user.email, password });
    const second = await first.refresh();
    expect(await emailOf(String(second.token.access_token))).toBe(user.email);
    const refused = { output: { statusCode: 400 }, data: { payload: { error: 'invalid_grant' } } };
    await expect(client.getToken({ username: user.email, password: 'wrong' })).rejects.toMatchObject(refused);
  });

  test.skipIf(!testAuthlib)('Authlib of Python signs in, refreshes, and understands errors', async () => {
    const script = fileURLToPath(new URL('../../testing/oauth-client.py', import.meta.url));
    const { stdout } = await promisify(execFile)(testAuthlib ?? '', [script, origin, user.email, password]);
    expect(JSON.parse(stdout)).toEqual({
      token_type: 'bearer',
      is_new: true,
      email: user.email,
      wrong_password: 'invalid_grant',
      wrong_token: 'invalid_grant',
    });
  });
});

describe('the token endpoint', () => {
  const form = (fields: Record<string, string>) => api.send('POST', '/oauth/token', { form: fields });

  test.each<[string, Record<string, string>, number, string]>([
    ['no grant type', { username: 'x', password: 'y' }, 400, 'invalid_request'],
    ['an unknown grant type', { grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
    ['no username', { grant_type: 'password', password: 'y' }, 400, 'invalid_request'],
    ['no password', { grant_type: 'password', username: 'x' }, 400, 'invalid_request'],
    ['no refresh token', { grant_type: 'refresh_token' }, 400, 'invalid_request'],
    ['an unknown user', { grant_type: 'password', username: 'x', password: 'y' }, 400, 'invalid_grant'],
    ['a NUL', { grant_type: 'password', username: 'x\u0000', password: 'y' }, 400, 'invalid_request'],
    ['a wrong refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, 400, 'invalid_grant'],
  ])('with %s it answers as RFC 6749 says', async (_, fields, status, error) => {
    const answer = await form(fields);
    expect([answer.statusCode, answer.json().error]).toEqual([status, error]);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toMatchObject({ error_description: expect.any(String), request_id: expect.any(String) });
  });

  test('takes forms only, each field once, and up to 16 KiB', async () => {
    const json = await api.send('POST', '/oauth/token', { body: { grant_type: 'password' } });
    expect([json.statusCode, json.json().error]).toEqual([415, 'invalid_request']);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const twice = { headers, body: 'grant_type=password&username=a&username=b&password=c' };
    expect((await api.send('POST', '/oauth/token', twice)).json().error).toBe('invalid_request');
    const large = { headers, body: `grant_type=password&username=${'a'.repeat(20_000)}` };
    expect((await api.send('POST', '/oauth/token', large)).statusCode).toBe(413);
  });

  test('an account with a second factor gets mfa_required with the token for it', async () => {
    const own = await api.signUp();
    await addTotp(api, own.token);
    const answer = await form({ grant_type: 'password', username: own.email, password });
    expect([answer.statusCode, answer.json()]).toEqual([
      403,
      expect.objectContaining({ error: 'mfa_required', mfa_token: expect.any(String), methods: expect.any(Array) }),
    ]);
  });

  test('guesses count for the same limits as those of /auth/login', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const { email } = await own.register();
      const fields = { grant_type: 'password', username: email, password: 'wrong' };
      for (let count = 0; count < 10; count += 1)
        expect((await own.send('POST', '/oauth/token', { form: fields })).statusCode).toBe(400);
      const answer = await own.send('POST', '/auth/login', { body: { email, password } });
      expect(answer.statusCode).toBe(429);
      const limited = await own.send('POST', '/oauth/token', { form: fields });
      expect([limited.statusCode, limited.json().error]).toEqual([429, 'temporarily_unavailable']);
      expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    } finally {
      await own.close();
    }
  });

  test('a refresh with the name of somebody else neither empties nor fills the limits of their account', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const [attacker, victim] = [await own.signUp(), await own.register()];
      let refresh_token = attacker.refreshToken;
      const guess = { grant_type: 'password', username: victim.email, password: 'wrong' };
      for (let count = 0; count < 10; count += 1) {
        await own.send('POST', '/oauth/token', { form: guess });
        const form = { grant_type: 'refresh_token', refresh_token, username: victim.email };
        const refreshed = await own.send('POST', '/oauth/token', { form });
        expect(refreshed.statusCode).toBe(200);
        refresh_token = refreshed.json().refresh_token;
      }
      expect((await own.send('POST', '/oauth/token', { form: guess })).statusCode).toBe(429);
      const other = await own.register();
      const garbage = { grant_type: 'refresh_token', refresh_token: 'x', username: other.email };
      for (let count = 0; count < 11; count += 1) await own.send('POST', '/oauth/token', { form: garbage });
      await own.login(other.email);
    } finally {
      await own.close();
    }
  });

  test.each(['/oauth/token', '/auth/login', '/auth/refresh'])(
    '%s without a body answers an input error',
    async (path) => {
      const answer = await api.send('POST', path);
      expect([answer.statusCode, answer.json().code]).toEqual([
        path.startsWith('/oauth') ? 400 : 422,
        'validation_failed',
      ]);
    },
  );

  test('the metadata names the origin that the client used, or PUBLIC_URL', async () => {
    const path = '//.well-known/oauth-authorization-server';
    expect((await api.send('GET', path, { headers: { host: 'api.example.com' } })).json()).toMatchObject({
      issuer: 'http://api.example.com',
      token_endpoint: 'http://api.example.com/api/v1/oauth/token',
    });
    const own = await startTestApp({ PUBLIC_URL: 'https://api.example.org' });
    try {
      const { issuer, jwks_uri } = (await own.send('GET', path, { headers: { host: 'evil.example' } })).json();
      expect([issuer, jwks_uri]).toEqual(['https://api.example.org', 'https://api.example.org/.well-known/jwks.json']);
    } finally {
      await own.close();
    }
  });
});
