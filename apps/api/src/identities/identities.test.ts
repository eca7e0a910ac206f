import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  browse,
  newVerifier,
  providerVariables,
  returnTo,
  signInAt,
  startProvider,
  type TestProvider,
  throughProvider,
} from '../../testing/provider.ts';
import { addPasskey, addTotp, codeAt } from '../../testing/sign-in-steps.ts';
import { expectProblem, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

const callbackOf = (id: string) => `http://localhost/api/v1/auth/providers/${id}/callback`;

let acme: TestProvider;
let conforming: TestProvider;
let api: TestApp;
const log: string[] = [];
/** As the software authenticator of the tests expects. */
const passkeys = { WEBAUTHN_RP_ID: 'localhost', WEBAUTHN_ORIGINS: 'http://localhost:3000' };

beforeAll(async () => {
  acme = await startProvider([callbackOf('acme'), callbackOf('untrusted')]);
  conforming = await startProvider([callbackOf('conforming')], { conformIdTokenClaims: true });
  api = await startTestApp({ ...environment(), APP_URL: 'https://app.example.com/~quoin', ...passkeys }, { log });
});
afterAll(async () => {
  await api.close();
  await acme.close();
  await conforming.close();
});

const trusted = { TRUST_EMAIL: 'true' };
const environment = () => ({
  PUBLIC_URL: 'http://localhost',
  OIDC_PROVIDERS: 'acme,untrusted,conforming,down',
  ...providerVariables('acme', acme, trusted),
  ...providerVariables('untrusted', acme),
  ...providerVariables('conforming', conforming, trusted),
  ...providerVariables('down', { issuer: 'http://127.0.0.1:9' }),
});

/** Adds an account at the provider. Returns its id there. */
function accountAt(provider: TestProvider, account: Record<string, unknown> = {}) {
  const email = uniqueEmail();
  provider.accounts[email] = { email, email_verified: true, name: 'Ada Lovelace', ...account };
  return email;
}

const me = async (token: string) => (await api.send('GET', '/users/me', { token })).json();
const identitiesOf = async (token: string) =>
  (await api.send('GET', '/users/me/identities', { token })).json().items as { id: string; provider: string }[];
const verifyAddress = (id: string) => api.database.system().users.update(id, { email_verified_at: api.clock.now() });
const subjectsTo = async (email: string) => (await api.mailsTo(email)).map(({ subject }) => subject);

describe('signing in with a provider', () => {
  test('a new identity gets an account, and the next sign-in finds it', async () => {
    const email = accountAt(acme);
    const first = await signInAt(api, email);
    expect([first.statusCode, first.json().code]).toEqual([200, undefined]);
    const user = await me(first.json().access_token);
    expect(user).toMatchObject({ email, full_name: 'Ada Lovelace', email_verified_at: expect.any(String) });
    acme.accounts[email] = { email: uniqueEmail(), email_verified: true };
    const second = await signInAt(api, email);
    expect((await me(second.json().access_token)).id).toBe(user.id);
    const [identity] = await identitiesOf(second.json().access_token);
    expect(identity).toMatchObject({ provider: 'acme', issuer: acme.issuer, last_used_at: expect.any(String) });
    const sessions = await api.send('GET', '/auth/sessions', { token: second.json().access_token });
    expect(sessions.json().items[0].methods).toEqual(['ext']);
  });

  test('the provider is listed, the browser returns to a path of ours, and the code works once and for a minute', async () => {
    const methods = (await api.send('GET', '/auth/methods')).json();
    expect(methods.providers).toContainEqual({ id: 'acme', name: 'Acme' });
    const email = accountAt(acme);
    const flow = await throughProvider(api, email, { return_to: '/welcome?tab=1#top' });
    expect(flow.page.href).toBe(`https://app.example.com/~quoin/welcome?tab=1&code=${flow.code}#top`);
    const exchange = (code: string, code_verifier: string) =>
      api.send('POST', '/auth/exchange', { body: { code, code_verifier } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(flow.code, flow.code_verifier)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, ...Array(19).fill(401)]);
    const late = await throughProvider(api, email);
    api.clock.advance(61);
    expectProblem(await exchange(late.code, late.code_verifier), 401, 'invalid_credentials');
  });

  test.each([
    '/../~mallory',
    '/%2e%2e/~mallory',
    '/a/../../~mallory',
    '//evil.example',
    'https://evil.example',
    '/\\evil.example',
    'welcome',
    '/a\nb',
    '/a\u0000b',
  ])('return_to %j is refused', async (return_to) => {
    const body = { code_challenge: newVerifier().code_challenge, return_to };
    const answer = await api.send('POST', '/auth/providers/acme/start', { body });
    expect(expectProblem(answer, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/return_to');
  });

  test('the address may come from the UserInfo endpoint only', async () => {
    const email = accountAt(conforming);
    const answer = await signInAt(api, email, { provider: 'conforming' });
    expect((await me(answer.json().access_token)).email).toBe(email);
  });

  test('with session: "cookie" it sets a cookie', async () => {
    const { code, code_verifier } = await throughProvider(api, accountAt(acme));
    const body = { code, code_verifier, session: 'cookie' };
    const answer = await api.send('POST', '/auth/exchange', { body });
    expect([answer.statusCode, String(answer.headers['set-cookie'])]).toEqual([
      204,
      expect.stringMatching(/^quoin_session=/),
    ]);
  });

  test('an account with a second factor still needs it', async () => {
    const email = accountAt(acme);
    const { access_token } = (await signInAt(api, email)).json();
    const { secret } = await addTotp(api, access_token);
    const first = await signInAt(api, email);
    expectProblem(first, 403, 'mfa_required');
    const body = { mfa_token: first.json().mfa_token, code: codeAt(api, secret) };
    expect((await api.send('POST', '/auth/mfa', { body })).statusCode).toBe(200);
  });

  test('a denied sign-in returns with an error, an unknown provider is 404, and one that is down is 503', async () => {
    expect((await throughProvider(api, 'denies')).error).toBe('access_denied');
    const body = { code_challenge: newVerifier().code_challenge };
    expectProblem(await api.send('POST', '/auth/providers/nobody/start', { body }), 404, 'not_found');
    expectProblem(await api.send('POST', '/auth/providers/down/start', { body }), 503, 'provider_unavailable');
    expect((await signInAt(api, accountAt(acme))).statusCode).toBe(200);
  });

  test('an account without an address cannot be created', async () => {
    const answer = await signInAt(api, accountAt(acme, { email: undefined }));
    expect(expectProblem(answer, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/code');
  });

  test('concurrent first sign-ins create one account', async () => {
    const email = accountAt(acme);
    const flows = [
      await throughProvider(api, email),
      await throughProvider(api, email),
      await throughProvider(api, email),
    ];
    const answers = await Promise.all(
      flows.map(({ code, code_verifier }) => api.send('POST', '/auth/exchange', { body: { code, code_verifier } })),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    const ids = await Promise.all(answers.map(async (answer) => (await me(answer.json().access_token)).id));
    expect(new Set(ids).size).toBe(1);
  });
});

describe('an address that has an account already', () => {
  test('an existing account is linked by address only for a trusted provider that has verified the address', async () => {
    const table: Record<string, string> = {};
    for (const provider of ['acme', 'untrusted'])
      for (const there of [true, 'true', false, 'false', undefined])
        for (const here of [true, false]) {
          const user = await api.signUp();
          if (here) await verifyAddress(user.id);
          acme.accounts[user.email] = { email: user.email.toUpperCase(), email_verified: there };
          const answer = await signInAt(api, user.email, { provider });
          const linked = answer.statusCode === 200 && (await me(answer.json().access_token)).id === user.id;
          const name = `${provider}, there ${JSON.stringify(there) ?? 'unsaid'}, here ${here ? 'verified' : 'unverified'}`;
          table[name] = linked ? 'linked' : answer.json().code;
          const session = await api.send('GET', '/users/me', { token: user.token });
          const login = await api.send('POST', '/auth/login', {
            body: { email: user.email, password: 'correct horse battery' },
          });
          const keeps = session.statusCode === 200 && login.statusCode === 200;
          expect([name, keeps]).toEqual([name, !linked || here]);
        }
    const rows = (provider: string, there: string, here: string) => `${provider}, there ${there}, here ${here}`;
    const expected = Object.fromEntries(
      ['acme', 'untrusted'].flatMap((provider) =>
        ['true', '"true"', 'false', '"false"', 'unsaid'].flatMap((there) =>
          ['verified', 'unverified'].map((here) => [
            rows(provider, there, here),
            provider === 'acme' && there.includes('true') ? 'linked' : 'email_taken',
          ]),
        ),
      ),
    );
    expect(table).toEqual(expected);
  });

  test('an unverified account loses password, sessions, keys and identities to the proven owner, who gets a mail', async () => {
    const impostor = await api.signUp();
    const created = await api.send('POST', '/users/me/api-keys', {
      token: impostor.token,
      body: { name: 'x', scopes: ['profile:read'] },
    });
    const ownAt = accountAt(acme, { email: undefined });
    const flow = await throughProvider(api, ownAt, { token: impostor.token, provider: 'untrusted' });
    const { code, code_verifier } = flow;
    expect((await api.send('POST', '/auth/exchange', { body: { code, code_verifier } })).statusCode).toBe(204);
    acme.accounts[impostor.email] = { email: impostor.email, email_verified: true };
    const owner = (await signInAt(api, impostor.email)).json();
    expect((await me(owner.access_token)).id).toBe(impostor.id);
    expect(await identitiesOf(owner.access_token)).toMatchObject([{ provider: 'acme' }]);
    for (const token of [impostor.token, created.json().key])
      expectProblem(await api.send('GET', '/users/me', { token }), 401, 'invalid_token');
    const login = { email: impostor.email, password: 'correct horse battery' };
    expectProblem(await api.send('POST', '/auth/login', { body: login }), 401, 'invalid_credentials');
    expect(await subjectsTo(impostor.email)).toEqual(
      expect.arrayContaining(['Choose a password', 'A way to sign in was added']),
    );
  });

  test('an address that only looks alike, for other mailboxes, is not linked', async () => {
    const user = await api.signUp({ email: `kelvin.${uniqueEmail()}` });
    await verifyAddress(user.id);
    const alike = user.email.replace('kelvin', 'ⓚelvin');
    acme.accounts[alike] = { email: alike, email_verified: true };
    expectProblem(await signInAt(api, alike), 409, 'email_taken');
  });

  test('an account with only a provider whose address is verified without its session loses the provider, and gets a mail to choose a password', async () => {
    const email = accountAt(acme, { email_verified: false });
    const { access_token } = (await signInAt(api, email, { provider: 'untrusted' })).json();
    const token = await api.tokenFor('verify-email', email);
    expect((await api.send('POST', '/auth/email/verify', { body: { token } })).statusCode).toBe(204);
    expectProblem(await api.send('GET', '/users/me', { token: access_token }), 401, 'invalid_token');
    expect(await subjectsTo(email)).toContain('Choose a password');
    const again = (await signInAt(api, accountAt(acme), { provider: 'untrusted' })).json();
    const kept = await me(again.access_token);
    const own = await api.tokenFor('verify-email', kept.email);
    await api.send('POST', '/auth/email/verify', { token: again.access_token, body: { token: own } });
    expect(await identitiesOf(again.access_token)).toHaveLength(1);
  });

  test('an unverified account with a second factor, a deactivated one and a service account are not linked', async () => {
    const user = await api.signUp();
    await addPasskey(api, user.token);
    acme.accounts[user.email] = { email: user.email, email_verified: true };
    expectProblem(await signInAt(api, user.email), 409, 'email_taken');

    const inactive = await api.signUp();
    await verifyAddress(inactive.id);
    await api.database.system().users.update(inactive.id, { is_active: false });
    acme.accounts[inactive.email] = { email: inactive.email, email_verified: true };
    expectProblem(await signInAt(api, inactive.email), 403, 'account_inactive');

    const admin = await api.signUpAdmin();
    const body = { email: uniqueEmail(), kind: 'service' };
    await api.send('POST', '/users', { token: admin.token, body });
    acme.accounts[body.email] = { email: body.email, email_verified: true };
    expectProblem(await signInAt(api, body.email), 409, 'email_taken');
  });
});

describe('identities of a user', () => {
  const link = async (token: string, at: string) => {
    const { code, code_verifier } = await throughProvider(api, at, { token });
    return api.send('POST', '/auth/exchange', { body: { code, code_verifier } });
  };

  test('an identity is linked after a recent proof, used, and unlinked, with events and mails', async () => {
    const user = await api.signUp();
    const at = accountAt(acme);
    expect((await link(user.token, at)).statusCode).toBe(204);
    expect((await link(user.token, at)).statusCode).toBe(204);
    const [identity, ...others] = await identitiesOf(user.token);
    expect([identity?.provider, others]).toEqual(['acme', []]);
    const signedIn = (await signInAt(api, at)).json();
    expect((await me(signedIn.access_token)).id).toBe(user.id);
    const path = `/users/me/identities/${identity?.id}`;
    const stranger = await api.signUp();
    expectProblem(await api.send('DELETE', path, { token: stranger.token }), 404, 'not_found');
    expect((await api.send('DELETE', path, { token: user.token })).statusCode).toBe(204);
    expectProblem(await api.send('DELETE', path, { token: user.token }), 404, 'not_found');
    expectProblem(await api.send('GET', '/users/me', { token: signedIn.access_token }), 401, 'invalid_token');
    const events = (await api.send('GET', '/users/me/audit-events', { token: user.token })).json().items;
    expect(events.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(['identity_linked', 'identity_unlinked']),
    );
    expect(await subjectsTo(user.email)).toEqual(
      expect.arrayContaining(['A way to sign in was added', 'A way to sign in was removed']),
    );
    api.clock.advance(601);
    const body = { code_challenge: newVerifier().code_challenge };
    const late = await api.send('POST', '/users/me/identities/acme/start', { token: user.token, body });
    expectProblem(late, 401, 'step_up_required');
  });

  test('an identity of another account cannot be taken', async () => {
    const at = accountAt(acme);
    await signInAt(api, at);
    const user = await api.signUp();
    expectProblem(await link(user.token, at), 409, 'identity_taken');
    expect(await identitiesOf(user.token)).toEqual([]);
  });

  test('the last way to sign in stays', async () => {
    const { access_token: token } = (await signInAt(api, accountAt(acme))).json();
    const [identity] = await identitiesOf(token);
    const path = `/users/me/identities/${identity?.id}`;
    expectProblem(await api.send('DELETE', path, { token }), 409, 'last_sign_in_method');
    const { passkey } = await addPasskey(api, token);
    expect((await api.send('DELETE', path, { token })).statusCode).toBe(204);
    expectProblem(await api.send('DELETE', `/users/me/passkeys/${passkey.id}`, { token }), 409, 'last_sign_in_method');
  });

  test('nothing is linked in a session that ended meanwhile', async () => {
    const user = await api.signUp();
    const { code, code_verifier } = await throughProvider(api, accountAt(acme), { token: user.token });
    await api.send('POST', '/auth/logout', { token: user.token });
    const answer = await api.send('POST', '/auth/exchange', { body: { code, code_verifier } });
    expectProblem(answer, 401, 'invalid_token');
    expect(await api.database.system().identities.list(user.id)).toEqual([]);
  });
});

describe('answers that a provider or an attacker falsified', () => {
  const now = () => Math.floor(Date.now() / 1000);
  type Change = Parameters<TestProvider['falsify']>[0];
  const idTokens: [string, Change][] = [
    ['another nonce', ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, nonce: 'x' } })],
    ['no nonce', ({ header, claims: { nonce: _, ...claims } }, sign) => sign.right({ header, claims })],
    [
      'another audience',
      ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, aud: 'another client' } }),
    ],
    [
      'another issuer',
      ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, iss: 'https://evil.example' } }),
    ],
    [
      'an expiry in the past',
      ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, exp: now() - 600 } }),
    ],
    ['no subject', ({ header, claims: { sub: _, ...claims } }, sign) => sign.right({ header, claims })],
    ['no signature', (token, sign) => sign.none(token)],
    ['an HMAC with the client secret', (token, sign) => sign.secret(token)],
    ['the signature of a foreign key', (token, sign) => sign.foreign(token)],
    ['an unknown key', ({ header, claims }, sign) => sign.foreign({ header: { ...header, kid: 'x' }, claims })],
    [
      'a NUL in the subject',
      ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, sub: 'a\u0000b' } }),
    ],
    [
      'a long subject',
      ({ header, claims }, sign) => sign.right({ header, claims: { ...claims, sub: 'a'.repeat(300) } }),
    ],
  ];
  test.each(idTokens)('an ID token with %s signs nobody in', async (_, change) => {
    acme.falsify(change);
    const { code, error } = await throughProvider(api, accountAt(acme));
    expect([code, error]).toEqual(['', 'sign_in_failed']);
  });

  test('an ID token that is signed again without a change signs in', async () => {
    acme.falsify((token, sign) => sign.right(token));
    expect((await signInAt(api, accountAt(acme))).statusCode).toBe(200);
  });

  test('a HEAD of the callback uses nothing up', async () => {
    const email = accountAt(acme);
    const { code_challenge, code_verifier } = newVerifier();
    const started = await api.send('POST', '/auth/providers/acme/start', { body: { code_challenge } });
    const callback = await browse(started.json().url, email);
    const head = await api.send('HEAD', `/${callback.pathname}${callback.search}`);
    expect(head.statusCode).toBe(405);
    const { code } = await returnTo(api, callback);
    expect((await api.send('POST', '/auth/exchange', { body: { code, code_verifier } })).statusCode).toBe(200);
  });

  test('a callback works once, and its code with no other state', async () => {
    const first = await throughProvider(api, accountAt(acme));
    expect((await returnTo(api, first.callback)).error).toBe('invalid_state');
    const replayed = await throughProvider(api, accountAt(acme), {
      change: (callback) => callback.searchParams.set('code', first.callback.searchParams.get('code') ?? ''),
    });
    expect([replayed.code, replayed.error]).toEqual(['', 'sign_in_failed']);
  });

  test('a code that the provider issued to another client signs nobody in, even with the right verifier', async () => {
    const { code_challenge } = newVerifier();
    const started = await api.send('POST', '/auth/providers/acme/start', { body: { code_challenge } });
    // The other client sends the same challenge, so only the client differs.
    const foreign = new URL(started.json().url);
    foreign.searchParams.set('client_id', 'another client');
    const { code, error } = await returnTo(api, await browse(foreign.href, accountAt(acme)));
    expect([code, error]).toEqual(['', 'sign_in_failed']);
  });

  test('the callback of an attacker’s attempt signs nobody in in another browser', async () => {
    const attack = await throughProvider(api, accountAt(acme));
    const body = { code: attack.code, code_verifier: newVerifier().code_verifier };
    expectProblem(await api.send('POST', '/auth/exchange', { body }), 401, 'invalid_credentials');
    const right = { code: attack.code, code_verifier: attack.code_verifier };
    expectProblem(await api.send('POST', '/auth/exchange', { body: right }), 401, 'invalid_credentials');
  });

  test('a state of another provider, an unknown state, a late answer and another `iss` sign nobody in', async () => {
    const email = accountAt(acme);
    const moved = await throughProvider(api, email, {
      change: (callback) => {
        callback.pathname = callback.pathname.replace('acme', 'untrusted');
      },
    });
    expect(moved.error).toBe('invalid_state');
    const unknown = await returnTo(api, new URL(`${callbackOf('acme')}?code=x&state=y`));
    expect(unknown.page.href).toBe('https://app.example.com/~quoin/?error=invalid_state');
    const late = await throughProvider(api, email, { change: () => api.clock.advance(601) });
    expect(late.error).toBe('invalid_state');
    const mixed = await throughProvider(api, email, {
      change: (callback) => callback.searchParams.set('iss', 'https://evil.example'),
    });
    expect(mixed.error).toBe('sign_in_failed');
  });

  test.each([
    ['a failure', 500, '{}'],
    ['no JSON', 200, '<html>'],
    ['a redirect', 302, ''],
    ['a flood', 200, 'x'.repeat(300_000)],
  ])('a provider whose token endpoint answers with %s signs nobody in', async (_, status, body) => {
    acme.replace('/token', (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', location: 'http://127.0.0.1:9/' }).end(body);
    });
    const { code, error } = await throughProvider(api, accountAt(acme)).finally(() =>
      acme.replace('/token', undefined),
    );
    expect(code).toBe('');
    expect(error).toMatch(/^(provider_unavailable|sign_in_failed)$/);
  });

  test('the log of a failed sign-in names the reason, and no token, code, state or address', async () => {
    log.length = 0;
    acme.falsify((token, sign) => sign.foreign(token));
    const email = accountAt(acme);
    const { callback } = await throughProvider(api, email);
    const lines = log.join('\n');
    expect(lines).toMatch(/a sign-in with a provider failed.*OAUTH_|OAUTH_.*a sign-in with a provider failed/);
    const secrets = [...callback.searchParams.values()].filter(
      (value) => value.length > 20 && !value.startsWith('http'),
    );
    expect(secrets.length).toBeGreaterThan(1);
    for (const secret of ['eyJ', email, ...secrets]) expect(lines).not.toContain(secret);
  });

  test('the metadata of a provider is read once for many attempts, and again after an hour', async () => {
    const path = '/.well-known/openid-configuration';
    const body = { code_challenge: newVerifier().code_challenge };
    api.clock.advance(3_601);
    const before = acme.requests.get(path) ?? 0;
    const start = () => api.send('POST', '/auth/providers/acme/start', { body });
    await Promise.all(Array.from({ length: 10 }, start));
    await start();
    expect((acme.requests.get(path) ?? 0) - before).toBe(1);
  });
});

describe('GitHub', () => {
  test('GitHub signs in with the verified primary address of its API', async () => {
    const answers: Record<string, unknown> = {
      '/login/oauth/access_token': { access_token: 'gho_x', token_type: 'bearer', scope: 'user:email' },
      '/api/v3/user': { id: 583_231, login: 'ada', name: 'Ada' },
    };
    const server = createServer((request, response) => {
      const path = request.url ?? '';
      const isKnown = path.startsWith('/login') || request.headers.authorization === 'Bearer gho_x';
      response
        .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
        .end(JSON.stringify(answers[path]));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const own = await startTestApp({
      PUBLIC_URL: 'http://localhost',
      OIDC_PROVIDERS: 'github',
      OIDC_GITHUB_ISSUER: site,
      OIDC_GITHUB_CLIENT_ID: 'id',
      OIDC_GITHUB_CLIENT_SECRET: 'secret',
      OIDC_GITHUB_TRUST_EMAIL: 'true',
    });
    try {
      const attempt = async (emails: object[]) => {
        answers['/api/v3/user/emails'] = emails;
        const { code_challenge, code_verifier } = newVerifier();
        const started = await own.send('POST', '/auth/providers/github/start', { body: { code_challenge } });
        const url = new URL(started.json().url);
        expect([url.origin + url.pathname, url.searchParams.get('scope')]).toEqual([
          `${site}/login/oauth/authorize`,
          'read:user user:email',
        ]);
        expect(url.searchParams.get('code_challenge_method')).toBe('S256');
        const callback = new URL(`${callbackOf('github')}?code=x&state=${url.searchParams.get('state')}`);
        const { code, error } = await returnTo(own, callback);
        const exchanged = await own.send('POST', '/auth/exchange', { body: { code: code || 'none', code_verifier } });
        return { error, exchanged };
      };
      const email = uniqueEmail();
      const unverified = await attempt([{ email, primary: true, verified: false }]);
      expectProblem(unverified.exchanged, 422, 'validation_failed');
      const { exchanged } = await attempt([
        { email: uniqueEmail(), primary: false, verified: true },
        { email, primary: true, verified: true },
      ]);
      expect((await own.send('GET', '/users/me', { token: exchanged.json().access_token })).json()).toMatchObject({
        email,
        full_name: 'Ada',
        email_verified_at: expect.any(String),
      });
      answers['/login/oauth/access_token'] = { error: 'bad_verification_code', error_description: 'expired' };
      expect((await attempt([])).error).toBe('sign_in_failed');
    } finally {
      await own.close();
      server.close();
    }
  });
});
