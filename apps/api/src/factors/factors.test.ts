import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPasskey, addTotp, assertionOf, codeAt, emailCode, firstFactor } from '../../testing/sign-in-steps.ts';
import {
  expectProblem,
  password,
  startTestApp,
  type TestApp,
  testOathtool,
  uniqueEmail,
} from '../../testing/test-app.ts';
import { createSealed } from '../config/sealed.ts';
import { noClient } from '../http/client.ts';
import { hashOfRecoveryCode, newRecoveryCodes } from './recovery-codes.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ ACCESS_TOKEN_EXPIRE_MINUTES: '60' });
});
afterAll(() => api.close());

const signUpWithTotp = async () => {
  const user = await api.signUp();
  return { ...user, ...(await addTotp(api, user.token)) };
};
const mfa = (body: Record<string, unknown>) => api.send('POST', '/auth/mfa', { body });
const stepUp = (token: string, body: Record<string, unknown>) => api.send('POST', '/auth/step-up', { token, body });
const statuses = (answers: { statusCode: number }[]) => answers.map(({ statusCode }) => statusCode).sort();

describe('an authenticator app', () => {
  test('TOTP codes match the vectors of RFC 6238', () => {
    // RFC 6238, appendix B, SHA-1, cut to six digits.
    const secret = Secret.fromUTF8('12345678901234567890');
    const vectors = { 59: '287082', 1111111109: '081804', 1234567890: '005924', 20000000000: '353130' };
    for (const [seconds, code] of Object.entries(vectors))
      expect(new TOTP({ secret }).generate({ timestamp: Number(seconds) * 1000 })).toBe(code);
  });

  test.skipIf(!testOathtool)('oathtool computes the same TOTP codes', async () => {
    const user = await api.signUp();
    const begun = (await api.send('POST', '/users/me/totp', { token: user.token })).json();
    const now = `@${Math.floor(api.clock.now().getTime() / 1000)}`;
    const code = execFileSync(testOathtool ?? '', ['--totp', '--base32', `--now=${now}`, begun.secret])
      .toString()
      .trim();
    const confirmed = await api.send('POST', '/users/me/totp/confirm', { token: user.token, body: { code } });
    expect(confirmed.statusCode).toBe(200);
  });

  test('an authenticator app is in force only after its confirmation, which ends the other sessions and sends a mail', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const { secret, otpauth_url } = (await api.send('POST', '/users/me/totp', { token: user.token })).json();
    expect(new URL(otpauth_url).searchParams.get('secret')).toBe(secret);
    expect(otpauth_url).toContain(encodeURIComponent(user.email));
    await api.login(user.email);

    const wrong = await api.send('POST', '/users/me/totp/confirm', { token: user.token, body: { code: '000000' } });
    expectProblem(wrong, 422, 'validation_failed');
    const body = { code: codeAt(api, secret) };
    const confirmed = await api.send('POST', '/users/me/totp/confirm', { token: user.token, body });
    const { recovery_codes } = confirmed.json() as { recovery_codes: string[] };
    expect(new Set(recovery_codes).size).toBe(10);
    for (const code of recovery_codes) expect(code).toMatch(/^([0-9a-z]{6}-){3}[0-9a-z]{6}$/);

    expectProblem(await api.send('GET', '/users/me', { token: other.access_token }), 401, 'invalid_token');
    expect((await api.send('GET', '/users/me', { token: user.token })).statusCode).toBe(200);
    expect((await firstFactor(api, user.email)).methods).toEqual(['totp', 'recovery_code']);
    const factors = await api.send('GET', '/users/me/factors', { token: user.token });
    expect(factors.json()).toEqual({ totp: true, passkeys: 0, recovery_codes_left: 10 });
    expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('An authenticator app was added');
  });

  test('a TOTP code works once, and one time step early or late', async () => {
    const { email, secret } = await signUpWithTotp();
    const codeOf = (seconds: number) =>
      new TOTP({ secret: Secret.fromBase32(secret) }).generate({
        timestamp: api.clock.now().getTime() + seconds * 1000,
      });
    const tryCode = async (code: string) => mfa({ mfa_token: (await firstFactor(api, email)).mfa_token, code });
    api.clock.advance(300);
    expectProblem(await tryCode(codeOf(-60)), 401, 'invalid_credentials');
    expectProblem(await tryCode(codeOf(60)), 401, 'invalid_credentials');
    expect((await tryCode(codeOf(-30))).statusCode).toBe(200);
    expect((await tryCode(codeOf(0))).statusCode).toBe(200);
    expectProblem(await tryCode(codeOf(0)), 401, 'invalid_credentials');
    expectProblem(await tryCode(codeOf(-30)), 401, 'invalid_credentials');
    expect((await tryCode(codeOf(30))).statusCode).toBe(200);
  });

  test('of 50 parallel uses of a TOTP code, one signs in', async () => {
    const { email, secret } = await signUpWithTotp();
    const tokens = await Promise.all(Array.from({ length: 50 }, () => firstFactor(api, email)));
    const code = codeAt(api, secret);
    const answers = await Promise.all(tokens.map(({ mfa_token }) => mfa({ mfa_token, code })));
    expect(statuses(answers)).toEqual([200, ...Array(49).fill(401)]);
  });

  test('a new secret can be confirmed in its own session only, for ten minutes', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const { secret } = (await api.send('POST', '/users/me/totp', { token: user.token })).json();
    const confirm = (token: string) =>
      api.send('POST', '/users/me/totp/confirm', { token, body: { code: codeAt(api, secret) } });
    expectProblem(await confirm(other.access_token), 422, 'validation_failed');
    api.clock.advance(601);
    expectProblem(await confirm(user.token), 422, 'validation_failed');
  });

  test('a session that was revoked during the request changes nothing', async () => {
    const { id, email } = await api.register();
    const { access_token } = await api.login(email);
    const { sid } = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString());
    const now = api.clock.now();
    const scope = {
      actor: { via: 'session' as const, userId: id, sessionId: sid, authenticatedAt: now, reauthenticatedAt: now },
      owner: { userId: id },
      isAdmin: false,
    };
    const { factors, ownAccount } = api.app.services;
    const { secret } = await factors.beginTotp(scope);
    expect((await api.send('POST', '/auth/logout', { token: access_token })).statusCode).toBe(204);
    const ended = { code: 'invalid_token' };
    await expect(factors.confirmTotp(scope, codeAt(api, secret), noClient)).rejects.toMatchObject(ended);
    const change = ownAccount.update(scope, { password: 'another horse battery' }, noClient, undefined);
    await expect(change).rejects.toMatchObject(ended);
    await api.login(email);
  });

  test('mails about factors are limited', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const user = await limited.signUp();
      await addTotp(limited, user.token);
      // Requests that change nothing use up none.
      const other = await limited.signUp();
      for (let n = 0; n < 30; n++)
        expect((await limited.send('DELETE', '/users/me/totp', { token: other.token })).statusCode).toBe(404);
      await addTotp(limited, other.token);
      const subjects = (await limited.mailsTo(other.email)).map(({ subject }) => subject);
      expect(subjects).toContain('An authenticator app was added');
      for (let n = 0; n < 40; n++)
        expect((await limited.send('POST', '/users/me/recovery-codes', { token: user.token })).statusCode).toBe(200);
      expect((await limited.mailsTo(user.email)).length).toBeLessThanOrEqual(21);
    } finally {
      await limited.close();
    }
  });

  test('replacing an authenticator app keeps the old one in force until the new one is confirmed', async () => {
    const { token, email, secret } = await signUpWithTotp();
    const next = (await api.send('POST', '/users/me/totp', { token })).json();
    expect(
      (await mfa({ mfa_token: (await firstFactor(api, email)).mfa_token, code: codeAt(api, secret) })).statusCode,
    ).toBe(200);
    const body = { code: codeAt(api, next.secret) };
    expect((await api.send('POST', '/users/me/totp/confirm', { token, body })).statusCode).toBe(200);
    api.clock.advance(30);
    const { mfa_token } = await firstFactor(api, email);
    expectProblem(await mfa({ mfa_token, code: codeAt(api, secret) }), 401, 'invalid_credentials');
    expect((await mfa({ mfa_token, code: codeAt(api, next.secret) })).statusCode).toBe(200);
  });

  test('removing the authenticator app ends the other sessions and voids the recovery codes', async () => {
    const { token, email, secret } = await signUpWithTotp();
    const { mfa_token } = await firstFactor(api, email);
    const other = (await mfa({ mfa_token, code: codeAt(api, secret) })).json();
    expect((await api.send('DELETE', '/users/me/totp', { token })).statusCode).toBe(204);
    expectProblem(await api.send('DELETE', '/users/me/totp', { token }), 404, 'not_found');
    expectProblem(await api.send('GET', '/users/me', { token: other.access_token }), 401, 'invalid_token');
    await api.login(email);
    const factors = await api.send('GET', '/users/me/factors', { token });
    expect(factors.json()).toEqual({ totp: false, passkeys: 0, recovery_codes_left: 0 });
    expect((await api.mailsTo(email)).map(({ subject }) => subject)).toContain('Your authenticator app was removed');
  });

  test('neither TOTP secrets nor recovery codes can be read from the database', async () => {
    const { id, secret, recoveryCodes } = await signUpWithTotp();
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ secret: Buffer }>('select secret from totps where user_id = $1', [id]),
    );
    const dump = await api.database.inspect(async (connection) => {
      const tables = ['totps', 'recovery_codes', 'challenges', 'idempotency_keys', 'audit_events', 'pgboss.job'];
      const all = await Promise.all(tables.map((table) => connection.query(`select t::text as row from ${table} t`)));
      return JSON.stringify(all);
    });
    const bytes = Buffer.from(Secret.fromBase32(secret).buffer).toString('hex');
    expect(dump).not.toContain(bytes);
    for (const code of recoveryCodes) expect(dump).not.toContain(code);
    const sealed = createSealed(api.config.secretKey, []);
    expect(sealed.open(rows[0]?.secret ?? Buffer.alloc(0), id).toString('hex')).toBe(bytes);
    expect(() => sealed.open(rows[0]?.secret ?? Buffer.alloc(0), crypto.randomUUID())).toThrow();
  });

  test('no answer with a secret is kept for an Idempotency-Key', async () => {
    const user = await api.signUp();
    const headers = { 'idempotency-key': 'the same' };
    const first = await api.send('POST', '/users/me/totp', { token: user.token, headers });
    const second = await api.send('POST', '/users/me/totp', { token: user.token, headers });
    expect(second.json().secret).not.toBe(first.json().secret);
  });
});

describe('the token for the second factor', () => {
  test('mfa_token is void after five wrong tries, after five minutes, and after its use', async () => {
    const { email, secret } = await signUpWithTotp();
    const guessed = await firstFactor(api, email);
    for (let n = 0; n < 5; n++)
      expectProblem(await mfa({ mfa_token: guessed.mfa_token, code: '000000' }), 401, 'invalid_credentials');
    const code = codeAt(api, secret);
    expectProblem(await mfa({ mfa_token: guessed.mfa_token, code }), 401, 'invalid_credentials');

    const used = await firstFactor(api, email);
    expect((await mfa({ mfa_token: used.mfa_token, code })).statusCode).toBe(200);
    api.clock.advance(30);
    expectProblem(await mfa({ mfa_token: used.mfa_token, code: codeAt(api, secret) }), 401, 'invalid_credentials');

    const late = await firstFactor(api, email);
    api.clock.advance(301);
    expectProblem(await mfa({ mfa_token: late.mfa_token, code: codeAt(api, secret) }), 401, 'invalid_credentials');
  });

  test('mfa_token is void after the password or the address changes', async () => {
    const { email, secret, id } = await signUpWithTotp();
    const other = await signUpWithTotp();
    const ofOther = await firstFactor(api, other.email);
    await api.database.system().users.update(other.id, { email: uniqueEmail() });
    const refused = await mfa({ mfa_token: ofOther.mfa_token, code: codeAt(api, other.secret) });
    expectProblem(refused, 401, 'invalid_credentials');
    const { mfa_token } = await firstFactor(api, email);
    const [hash] = [await api.app.services.passwords.hash('another horse battery', { account: id, address: '' })];
    await api.database.system().users.update(id, { password_hash: hash });
    expectProblem(await mfa({ mfa_token, code: codeAt(api, secret) }), 401, 'invalid_credentials');
  });

  test('mfa_token is no access token, works for its account only, and is not accepted as another kind of challenge', async () => {
    const one = await signUpWithTotp();
    const other = await signUpWithTotp();
    const { mfa_token } = await firstFactor(api, one.email);
    expectProblem(await api.send('GET', '/users/me', { token: mfa_token }), 401, 'invalid_token');
    expectProblem(await mfa({ mfa_token, code: codeAt(api, other.secret) }), 401, 'invalid_credentials');
    expectProblem(await mfa({ mfa_token, recovery_code: other.recoveryCodes[0] }), 401, 'invalid_credentials');
    const confirm = { challenge: mfa_token, code: codeAt(api, one.secret) };
    expectProblem(await api.send('POST', '/auth/email-code/confirm', { body: confirm }), 401, 'invalid_credentials');
    for (const body of [{ mfa_token }, { mfa_token, code: '12345' }, { mfa_token, code: '123456', recovery_code: 'x' }])
      expectProblem(await mfa(body), 422, 'validation_failed');
  });

  test('guesses of codes of an account share one limit, which blocks neither passkeys nor its open sessions', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const user = await limited.signUp();
      const { secret, recoveryCodes } = await addTotp(limited, user.token);
      const { authenticator } = await addPasskey(limited, user.token);
      const post = (path: string, body: object, token?: string) => limited.send('POST', path, { body, token });
      for (let round = 0; round < 5; round++) {
        const { mfa_token } = await firstFactor(limited, user.email);
        for (const guess of [{ code: '000000' }, { recovery_code: 'made up' }])
          expect((await post('/auth/mfa', { mfa_token, ...guess })).statusCode).toBe(401);
      }
      const { mfa_token } = await firstFactor(limited, user.email);
      expectProblem(await post('/auth/mfa', { mfa_token, code: codeAt(limited, secret) }), 429, 'rate_limited');
      const recovery = { mfa_token, recovery_code: recoveryCodes[0] };
      expectProblem(await post('/auth/mfa', recovery), 429, 'rate_limited');
      expect((await post('/auth/step-up', { code: codeAt(limited, secret) }, user.token)).statusCode).toBe(204);
      const credential = await assertionOf(limited, authenticator);
      expect((await post('/auth/mfa', { mfa_token, credential })).statusCode).toBe(200);
    } finally {
      await limited.close();
    }
  });
});

describe('recovery codes', () => {
  test('recovery codes have 120 bits, and can be typed in capitals, without dashes, and with O for 0', () => {
    const codes = newRecoveryCodes();
    expect(codes).toHaveLength(10);
    for (const code of codes) {
      expect(code.replaceAll('-', '')).toMatch(/^[0-9a-hjkmnp-tv-z]{24}$/);
      const typed = code.toUpperCase().replaceAll('-', ' ').replaceAll('0', 'O').replaceAll('1', 'I');
      expect(hashOfRecoveryCode(typed)).toEqual(hashOfRecoveryCode(code));
    }
    expect(hashOfRecoveryCode('abc')).toEqual(createHash('sha256').update('abc').digest());
  });

  test('of 50 parallel uses of a recovery code, one signs in', async () => {
    const { email, token, recoveryCodes } = await signUpWithTotp();
    const tokens = await Promise.all(Array.from({ length: 50 }, () => firstFactor(api, email)));
    const answers = await Promise.all(
      tokens.map(({ mfa_token }) => mfa({ mfa_token, recovery_code: recoveryCodes[0] })),
    );
    expect(statuses(answers)).toEqual([200, ...Array(49).fill(401)]);
    const factors = await api.send('GET', '/users/me/factors', { token });
    expect(factors.json().recovery_codes_left).toBe(9);
  });

  test('new recovery codes void the old ones and send a mail; an account without a factor has none', async () => {
    const { email, token, recoveryCodes } = await signUpWithTotp();
    const fresh = await api.send('POST', '/users/me/recovery-codes', { token });
    expect(fresh.json().recovery_codes).toHaveLength(10);
    const { mfa_token } = await firstFactor(api, email);
    expectProblem(await mfa({ mfa_token, recovery_code: recoveryCodes[0] }), 401, 'invalid_credentials');
    expect((await mfa({ mfa_token, recovery_code: fresh.json().recovery_codes[0] })).statusCode).toBe(200);
    expect((await api.mailsTo(email)).map(({ subject }) => subject)).toContain('You have new recovery codes');
    const without = await api.signUp();
    expectProblem(await api.send('POST', '/users/me/recovery-codes', { token: without.token }), 404, 'not_found');
  });
});

describe('a recent proof', () => {
  const freshRoutes = [
    ['DELETE', '/auth/sessions/01999999-9999-7999-9999-999999999999'],
    ['POST', '/auth/logout-all'],
    ['POST', '/users/me/totp'],
    ['DELETE', '/users/me/totp'],
    ['POST', '/users/me/recovery-codes'],
    ['POST', '/users/me/passkeys/options'],
    ['PATCH', '/users/me/passkeys/01999999-9999-7999-9999-999999999999'],
    ['DELETE', '/users/me/passkeys/01999999-9999-7999-9999-999999999999'],
  ] as const;

  test('changing factors and ending sessions needs a proof within ten minutes', async () => {
    const user = await api.signUp();
    api.clock.advance(601);
    for (const [method, path] of freshRoutes) {
      const answer = await api.send(method, path, {
        token: user.token,
        body: method === 'PATCH' ? { name: 'x' } : undefined,
      });
      expect([path, answer.statusCode, answer.json().code]).toEqual([path, 401, 'step_up_required']);
      expect(answer.headers['www-authenticate']).toMatch(
        /^Bearer error="insufficient_user_authentication", .*max_age="600"$/,
      );
    }
    expect((await stepUp(user.token, { password })).statusCode).toBe(204);
    expect((await api.send('POST', '/users/me/totp', { token: user.token })).statusCode).toBe(201);
    api.clock.advance(601);
    expect((await api.send('POST', '/users/me/totp', { token: user.token })).statusCode).toBe(401);
  });

  test('with a second factor, step-up needs a code or a passkey, not a password', async () => {
    const { token, secret } = await signUpWithTotp();
    const { authenticator } = await addPasskey(api, token);
    api.clock.advance(601);
    expectProblem(await stepUp(token, { password }), 403, 'mfa_required');
    expectProblem(await stepUp(token, { code: '000000' }), 403, 'wrong_password');
    expectProblem(
      await stepUp(token, { credential: await assertionOf(api, authenticator, { isUserVerified: false }) }),
      403,
      'wrong_password',
    );
    expectProblem(await api.send('POST', '/users/me/recovery-codes', { token }), 401, 'step_up_required');
    expect((await stepUp(token, { code: codeAt(api, secret) })).statusCode).toBe(204);
    expect((await api.send('POST', '/users/me/recovery-codes', { token })).statusCode).toBe(200);
    api.clock.advance(601);
    expect((await stepUp(token, { credential: await assertionOf(api, authenticator) })).statusCode).toBe(204);
    expect((await api.send('POST', '/users/me/recovery-codes', { token })).statusCode).toBe(200);
  });

  test('adding a factor is no proof for a new password', async () => {
    const user = await signUpWithTotp();
    const body = { password: 'another horse battery' };
    expectProblem(await api.send('PATCH', '/users/me', { token: user.token, body }), 403, 'wrong_password');
    await addPasskey(api, user.token);
    expectProblem(await api.send('PATCH', '/users/me', { token: user.token, body }), 403, 'wrong_password');
  });

  test('a TOTP code that was used for step-up does not sign in', async () => {
    const { token, email, secret } = await signUpWithTotp();
    const code = codeAt(api, secret);
    const { mfa_token } = await firstFactor(api, email);
    expect((await stepUp(token, { code })).statusCode).toBe(204);
    expectProblem(await mfa({ mfa_token, code }), 401, 'invalid_credentials');
  });

  test('an account without a password changes its username only after a recent sign-in', async () => {
    const { email } = await api.register();
    const { challenge, code } = await emailCode(api, email);
    const signedIn = await api.send('POST', '/auth/email-code/confirm', { body: { challenge, code } });
    const token = signedIn.json().access_token;
    const change = (username: string) => api.send('PATCH', '/users/me', { token, body: { username } });
    expect((await change('with.no.password')).statusCode).toBe(200);
    api.clock.advance(601);
    expectProblem(await change('another.one'), 401, 'step_up_required');
  });

  test('a factor of another account does not count for step-up', async () => {
    const one = await signUpWithTotp();
    const other = await signUpWithTotp();
    const { authenticator } = await addPasskey(api, other.token);
    expectProblem(await stepUp(one.token, { code: codeAt(api, other.secret) }), 403, 'wrong_password');
    expectProblem(
      await stepUp(one.token, { credential: await assertionOf(api, authenticator) }),
      403,
      'wrong_password',
    );
  });

  test('step-up replaces the current password on the routes of one’s own account', async () => {
    const user = await api.signUp();
    const change = (body: object) => api.send('PATCH', '/users/me', { token: user.token, body });
    expectProblem(await change({ username: 'someone.else' }), 403, 'wrong_password');
    expect((await stepUp(user.token, { password })).statusCode).toBe(204);
    expect((await change({ username: 'someone.else' })).statusCode).toBe(200);
    api.clock.advance(601);
    expectProblem(await change({ username: 'another.name' }), 403, 'wrong_password');
    expect((await stepUp(user.token, { password })).statusCode).toBe(204);
    expect((await api.send('DELETE', '/users/me', { token: user.token, body: {} })).statusCode).toBe(204);
  });
});

describe('admins', () => {
  test('an admin removes the factors of a user with a recent proof; the sessions end and the user gets a mail', async () => {
    const admin = await api.signUpAdmin();
    const user = await signUpWithTotp();
    await addPasskey(api, user.token);
    api.clock.advance(601);
    const remove = () => api.send('DELETE', `/users/${user.id}/factors`, { token: admin.token });
    expectProblem(await remove(), 401, 'step_up_required');
    expect((await stepUp(admin.token, { password })).statusCode).toBe(204);
    expect((await remove()).statusCode).toBe(204);
    expectProblem(await api.send('GET', '/users/me', { token: user.token }), 401, 'invalid_token');
    await api.login(user.email);
    expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toContain('Your second factors were removed');
    const unknown = await api.send('DELETE', '/users/01999999-9999-7999-9999-999999999999/factors', {
      token: admin.token,
    });
    expectProblem(unknown, 404, 'not_found');
    const stranger = await api.signUp();
    const forbidden = await api.send('DELETE', `/users/${user.id}/factors`, { token: stranger.token });
    expectProblem(forbidden, 403, 'forbidden');
  });

  test('a mail to reset the password lifts no factor', async () => {
    const user = await signUpWithTotp();
    await api.send('POST', '/auth/password/forgot', { body: { email: user.email } });
    const token = await api.tokenFor('reset-password', user.email);
    const new_password = 'another horse battery';
    expect((await api.send('POST', '/auth/password/reset', { body: { token, new_password } })).statusCode).toBe(204);
    const answer = await api.send('POST', '/auth/login', { body: { email: user.email, password: new_password } });
    expectProblem(answer, 403, 'mfa_required');
  });

  test('a right password of an account with a second factor leaves an event', async () => {
    const user = await signUpWithTotp();
    await firstFactor(api, user.email);
    const { items } = (await api.send('GET', '/users/me/audit-events', { token: user.token })).json();
    expect(items[0]).toMatchObject({ action: 'mfa_required', details: { methods: ['pwd'] } });
  });

  test('the password grant of OAuth 2 asks for the second factor as well', async () => {
    const user = await signUpWithTotp();
    const form = { grant_type: 'password', username: user.email, password };
    const answer = await api.send('POST', '/auth/login', { form });
    expectProblem(answer, 403, 'mfa_required');
    expect(answer.json()).toMatchObject({
      error: 'mfa_required',
      mfa_token: expect.any(String),
      methods: ['totp', 'recovery_code'],
    });
  });
});
