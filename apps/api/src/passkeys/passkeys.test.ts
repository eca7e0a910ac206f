import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthenticator } from '../../testing/authenticator.ts';
import { addPasskey, addTotp, assertionOf, emailCode, firstFactor } from '../../testing/sign-in-steps.ts';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const signIn = (credential: unknown) => api.send('POST', '/auth/passkey', { body: { credential } });
const options = async (token: string) => (await api.send('POST', '/users/me/passkeys/options', { token })).json();
const add = (token: string, credential: unknown) =>
  api.send('POST', '/users/me/passkeys', { token, body: { credential } });
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');

describe('adding a passkey', () => {
  test('the options for a new passkey ask for a discoverable credential with user verification, without attestation, under a random handle', async () => {
    const user = await api.signUp();
    const first = await options(user.token);
    expect(first).toMatchObject({
      rp: { id: 'localhost', name: 'localhost:3000' },
      user: { name: user.email },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      timeout: 300_000,
      excludeCredentials: [],
    });
    expect(first.pubKeyCredParams.map(({ alg }: { alg: number }) => alg)).toEqual([-8, -7, -257]);
    expect(Buffer.from(first.user.id, 'base64url')).toHaveLength(64);
    expect(Buffer.from(first.challenge, 'base64url')).toHaveLength(32);
    const second = await options(user.token);
    expect(second.user.id).toBe(first.user.id);
    expect(second.challenge).not.toBe(first.challenge);
  });

  test('adding a passkey ends the other sessions and sends a mail; then a password needs a second factor', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const { passkey, authenticator } = await addPasskey(api, user.token);
    expect(passkey).toEqual({
      id: expect.any(String),
      name: 'Laptop',
      created_at: expect.any(String),
      last_used_at: null,
      is_backed_up: false,
    });
    expectProblem(await api.send('GET', '/users/me', { token: other.access_token }), 401, 'invalid_token');
    expect((await firstFactor(api, user.email)).methods).toEqual(['passkey']);
    expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('A passkey was added');
    const { excludeCredentials } = await options(user.token);
    expect(excludeCredentials).toMatchObject([{ id: base64url(authenticator.credentialId), transports: ['internal'] }]);
  });

  test('a new passkey is refused without user verification, for another origin or site, for a used, expired or made-up challenge, and twice', async () => {
    const user = await api.signUp();
    const authenticator = createAuthenticator();
    const refusals = [
      authenticator.create(await options(user.token), { isUserVerified: false }),
      authenticator.create(await options(user.token), { origin: 'https://evil.example' }),
      authenticator.create(await options(user.token), { origin: 'http://localhost:3000.evil.example' }),
      authenticator.create(await options(user.token), { rpId: 'evil.example' }),
      authenticator.create({ ...(await options(user.token)), challenge: base64url(randomBytes(32)) }),
      authenticator.get(await options(user.token)),
      { id: 'AQID', rawId: 'AQID', type: 'public-key', response: {} },
    ];
    for (const credential of refusals) expectProblem(await add(user.token, credential), 422, 'validation_failed');

    const late = authenticator.create(await options(user.token));
    api.clock.advance(301);
    expectProblem(await add(user.token, late), 422, 'validation_failed');

    const right = authenticator.create(await options(user.token));
    expect((await add(user.token, right)).statusCode).toBe(201);
    expectProblem(await add(user.token, right), 422, 'validation_failed');
    const again = authenticator.create(await options(user.token));
    expectProblem(await add(user.token, again), 422, 'validation_failed');
  });

  test('a statement about the maker of the device is ignored, and nothing that it names is fetched', async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const certificate = Buffer.from(`http://127.0.0.1:${port}/crl`);
    const attStmt = { alg: -7, sig: randomBytes(70), x5c: [certificate, certificate] };
    const user = await api.signUp();
    for (const fmt of ['android-key', 'packed', 'tpm', 'fido-u2f', 'apple', 'made up']) {
      const credential = createAuthenticator().create(await options(user.token), { attestation: { fmt, attStmt } });
      expect((await add(user.token, credential)).statusCode).toBe(201);
    }
    expect(requests).toBe(0);
    server.close();
  });

  test('a new passkey needs a challenge of its own session', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const stranger = await api.signUp();
    for (const token of [other.access_token, stranger.token]) {
      const credential = createAuthenticator().create(await options(user.token));
      expectProblem(await add(token, credential), 422, 'validation_failed');
    }
  });

  test('of 10 passkeys for one challenge, one is added; an account has at most 20', async () => {
    const user = await api.signUp();
    const shared = await options(user.token);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => add(user.token, createAuthenticator().create(shared))),
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, ...Array(9).fill(422)]);
    for (let n = 1; n < 20; n++) await addPasskey(api, user.token);
    const tooMany = await api.send('POST', '/users/me/passkeys/options', { token: user.token });
    expectProblem(tooMany, 422, 'validation_failed');
  });
});

describe('signing in with a passkey', () => {
  test('signing in with a passkey needs no name and counts as two factors', async () => {
    const user = await api.signUp();
    const { authenticator } = await addPasskey(api, user.token);
    await addTotp(api, user.token);
    const answer = await signIn(await assertionOf(api, authenticator));
    expect(answer.statusCode).toBe(200);
    const token = answer.json().access_token;
    expect((await api.send('GET', '/users/me', { token })).json().id).toBe(user.id);
    const { items } = (await api.send('GET', '/users/me/passkeys', { token })).json();
    expect(items[0].last_used_at).toBe(api.clock.now().toISOString());
  });

  test('of 50 parallel uses of a passkey challenge, one signs in', async () => {
    const user = await api.signUp();
    const { authenticator } = await addPasskey(api, user.token);
    const credential = await assertionOf(api, authenticator);
    const answers = await Promise.all(Array.from({ length: 50 }, () => signIn(credential)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, ...Array(49).fill(401)]);
  });

  test('signing in with a passkey is refused without user verification, for another origin, site or account, and for an expired challenge', async () => {
    const user = await api.signUp();
    const { authenticator } = await addPasskey(api, user.token);
    const stranger = await api.signUp();
    const theirs = await addPasskey(api, stranger.token);
    const handleOf = async (token: string) => (await options(token)).user.id;
    const refusals = [
      await assertionOf(api, authenticator, { isUserVerified: false }),
      await assertionOf(api, authenticator, { origin: 'https://evil.example' }),
      await assertionOf(api, authenticator, { rpId: 'evil.example' }),
      await assertionOf(api, authenticator, { userHandle: await handleOf(stranger.token) }),
      await assertionOf(api, authenticator, { userHandle: base64url(randomBytes(64)) }),
      await assertionOf(api, createAuthenticator()),
      authenticator.get({ challenge: base64url(randomBytes(32)) }),
      { ...(await assertionOf(api, authenticator)), id: base64url(theirs.authenticator.credentialId) },
      { id: 'AQID', rawId: 'AQID', type: 'public-key', response: { userHandle: 'AQID' } },
    ];
    for (const credential of refusals) expectProblem(await signIn(credential), 401, 'invalid_credentials');
    // The device may forget a passkey only if no account has it.
    const answers = await Promise.all([
      signIn(await assertionOf(api, authenticator, { origin: 'https://evil.example' })),
      signIn(await assertionOf(api, authenticator, { userHandle: base64url(randomBytes(64)) })),
    ]);
    expect(answers.map((answer) => answer.json().unknown_credential)).toEqual([undefined, true]);
    const late = await assertionOf(api, authenticator);
    api.clock.advance(301);
    expectProblem(await signIn(late), 401, 'invalid_credentials');
    const second = await firstFactor(api, user.email);
    const body = { mfa_token: second.mfa_token, credential: await assertionOf(api, theirs.authenticator) };
    expectProblem(await api.send('POST', '/auth/mfa', { body }), 401, 'invalid_credentials');
  });

  test('a passkey with a falling counter signs in and leaves an event', async () => {
    const user = await api.signUp();
    const { authenticator } = await addPasskey(api, user.token);
    expect((await signIn(await assertionOf(api, authenticator, { counter: 7 }))).statusCode).toBe(200);
    const answer = await signIn(await assertionOf(api, authenticator, { counter: 3 }));
    expect(answer.statusCode).toBe(200);
    const events = await api.send('GET', '/users/me/audit-events', { token: answer.json().access_token });
    const actions = events.json().items.map(({ action }: { action: string }) => action);
    expect(actions).toContain('passkey_counter_fell');
  });

  test('a passkey that can be backed up has the method swk', async () => {
    const user = await api.signUp();
    const { authenticator, passkey } = await addPasskey(api, user.token, createAuthenticator({ isSyncable: true }));
    expect(passkey).toMatchObject({ is_backed_up: true });
    const answer = await signIn(await assertionOf(api, authenticator));
    const sessions = await api.send('GET', '/auth/sessions', { token: answer.json().access_token });
    expect(sessions.json().items[0].methods).toEqual(['swk', 'mfa']);
  });
});

describe('one’s passkeys', () => {
  test('GET /auth/methods lists passkeys unless APP_URL is an IP address, which has none', async () => {
    const methods = { password: true, email_code: true, passkey: true, providers: [] };
    expect((await api.send('GET', '/auth/methods')).json()).toEqual(methods);
    const onAddress = await startTestApp({ APP_URL: 'http://127.0.0.1:3000' });
    try {
      expect((await onAddress.send('GET', '/auth/methods')).json()).toEqual({ ...methods, passkey: false });
    } finally {
      await onAddress.close();
    }
  });

  test('passkeys are listed, renamed and removed by their owner only', async () => {
    const user = await api.signUp();
    const stranger = await api.signUp();
    const { passkey, authenticator } = await addPasskey(api, user.token);
    const path = `/users/me/passkeys/${passkey.id}`;
    const rename = (token: string, name: string) => api.send('PATCH', path, { token, body: { name } });
    expect((await rename(user.token, 'Old laptop')).json().name).toBe('Old laptop');
    expectProblem(await rename(stranger.token, 'Mine'), 404, 'not_found');
    expectProblem(await rename(user.token, ' '), 422, 'validation_failed');
    expectProblem(await api.send('DELETE', path, { token: stranger.token }), 404, 'not_found');
    expect((await api.send('DELETE', path, { token: user.token })).statusCode).toBe(204);
    expectProblem(await api.send('DELETE', path, { token: user.token }), 404, 'not_found');
    expectProblem(await signIn(await assertionOf(api, authenticator)), 401, 'invalid_credentials');
    await api.login(user.email, password);
    expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('A passkey was removed');
  });

  test('the last passkey of an account without a password stays', async () => {
    const { email } = await api.register();
    const { challenge, code } = await emailCode(api, email);
    const signedIn = await api.send('POST', '/auth/email-code/confirm', { body: { challenge, code } });
    const token = signedIn.json().access_token;
    const [first, second] = [await addPasskey(api, token), await addPasskey(api, token)];
    const remove = ({ passkey }: typeof first) => api.send('DELETE', `/users/me/passkeys/${passkey.id}`, { token });
    const answers = await Promise.all([remove(first), remove(second)]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([204, 409]);
    const refused = answers.find(({ statusCode }) => statusCode === 409);
    expect(refused?.json().code).toBe('last_sign_in_method');
  });

  test('related origins are published', async () => {
    const related = await startTestApp({ WEBAUTHN_ORIGINS: 'https://app.example.com,https://app.example.org' });
    try {
      const answer = await related.send('GET', '//.well-known/webauthn');
      expect(answer.json()).toEqual({ origins: ['https://app.example.com', 'https://app.example.org'] });
    } finally {
      await related.close();
    }
  });
});
