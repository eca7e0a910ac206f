import { Secret, TOTP } from 'otpauth';
import { expect } from 'vitest';
import { createAuthenticator } from './authenticator.ts';
import { password, type TestApp } from './test-app.ts';

// Steps of signing in that many tests need.

/** Returns the code of an authenticator app at the time of the application's clock. */
export const codeAt = (api: TestApp, secret: string) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: api.clock.now().getTime() });

/** Adds an authenticator app to an account. Its code is used up, so the clock moves on. */
export async function addTotp(api: TestApp, token: string) {
  const begun = await api.send('POST', '/users/me/totp', { token });
  expect(begun.statusCode).toBe(201);
  const { secret, otpauth_url } = begun.json() as { secret: string; otpauth_url: string };
  const confirmed = await api.send('POST', '/users/me/totp/confirm', { token, body: { code: codeAt(api, secret) } });
  expect(confirmed.statusCode).toBe(200);
  api.clock.advance(30);
  const { recovery_codes } = confirmed.json() as { recovery_codes: string[] };
  return { secret, otpauth_url, recoveryCodes: recovery_codes };
}

/** Adds a passkey to an account. */
export async function addPasskey(api: TestApp, token: string, authenticator = createAuthenticator()) {
  const options = await api.send('POST', '/users/me/passkeys/options', { token });
  expect(options.statusCode).toBe(200);
  const credential = authenticator.create(options.json());
  const added = await api.send('POST', '/users/me/passkeys', { token, body: { name: 'Laptop', credential } });
  expect(added.statusCode).toBe(201);
  return { authenticator, passkey: added.json() as { id: string; name: string } };
}

/** Returns an answer of a passkey to a new challenge. */
export async function assertionOf(api: TestApp, authenticator: ReturnType<typeof createAuthenticator>, overrides = {}) {
  const options = await api.send('POST', '/auth/passkey/options');
  expect(options.statusCode).toBe(200);
  return authenticator.get(options.json(), overrides);
}

/** Asks for a code by mail. Resolves to the challenge and the code. */
export async function emailCode(api: TestApp, email: string) {
  const asked = await api.send('POST', '/auth/email-code', { body: { email } });
  expect(asked.statusCode).toBe(202);
  const mails = await api.mailsTo(email);
  const code = mails.findLast(({ subject }) => subject.startsWith('Your code'))?.subject.match(/\d{6}/)?.[0] ?? '';
  return { challenge: asked.json().challenge as string, code };
}

/** Signs in with a password, for an account that needs a second factor. Resolves to the token for it. */
export async function firstFactor(api: TestApp, email: string, secret = password) {
  const answer = await api.send('POST', '/auth/login', { body: { email, password: secret } });
  expect(answer.statusCode).toBe(403);
  return answer.json() as { code: string; mfa_token: string; methods: string[] };
}
