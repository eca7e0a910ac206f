import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const newPassword = 'another horse battery';
const forgot = (email: string) => api.send('POST', '/auth/password/forgot', { body: { email } });
const reset = (token: string, new_password = newPassword) =>
  api.send('POST', '/auth/password/reset', { body: { token, new_password } });
const verify = (token: string, accessToken?: string) =>
  api.send('POST', '/auth/email/verify', { body: { token }, token: accessToken });
const loginAs = (email: string, secret: string) =>
  api.send('POST', '/auth/login', { body: { email, password: secret } });
const whoAmI = (token: string) => api.send('GET', '/users/me', { token });

async function resetTokenFor(email: string) {
  expect((await forgot(email)).statusCode).toBe(202);
  return api.tokenFor('reset-password', email);
}

describe('a forgotten password', () => {
  test('a reset with the mailed token sets a new password and ends every session', async () => {
    const user = await api.signUp();
    const token = await resetTokenFor(user.email);
    expect((await reset(token)).statusCode).toBe(204);
    expectProblem(await whoAmI(user.token), 401, 'invalid_token');
    expectProblem(
      await api.send('POST', '/auth/refresh', { body: { refresh_token: user.refreshToken } }),
      401,
      'invalid_token',
    );
    expectProblem(await loginAs(user.email, password), 401, 'invalid_credentials');
    const tokens = await api.login(user.email, newPassword);
    expect((await whoAmI(tokens.access_token)).json().email_verified_at).not.toBeNull();
    expect((await api.mailsTo(user.email)).at(-1)?.subject).toBe('Your password was changed');
  });

  test('a reset can be requested with any spelling of the address', async () => {
    const user = await api.register();
    expect((await forgot(`  ${user.email.toUpperCase()} `)).statusCode).toBe(202);
    expect((await reset(await api.tokenFor('reset-password', user.email))).statusCode).toBe(204);
  });

  test('forgot answers the same for existing, unknown and deactivated accounts', async () => {
    const user = await api.register();
    const inactive = await api.register();
    await api.database.system().users.update(inactive.id, { is_active: false });
    const nobody = uniqueEmail();
    const answers = [];
    for (const email of [user.email, inactive.email, nobody]) {
      const { statusCode, body, headers } = await forgot(email);
      const { date: _, 'x-request-id': __, ...others } = headers;
      answers.push({ statusCode, body, others });
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ statusCode: 202, body: '' });
    const subjects = async (email: string) => (await api.mailsTo(email)).map(({ subject }) => subject);
    expect(await subjects(user.email)).toContain('Reset your password');
    expect(await subjects(inactive.email)).not.toContain('Reset your password');
    expect(await subjects(nobody)).toEqual([]);
  });

  test('requesting a reset changes nothing until the token is used', async () => {
    const user = await api.signUp();
    await resetTokenFor(user.email);
    expect((await whoAmI(user.token)).statusCode).toBe(200);
    expect((await loginAs(user.email, password)).statusCode).toBe(200);
  });
});

describe('a token for a new password', () => {
  test('a reset token works once, also concurrently', async () => {
    const user = await api.register();
    const token = await resetTokenFor(user.email);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => reset(token, `${newPassword} ${n}`)));
    const statuses = answers.map(({ statusCode }) => statusCode).sort();
    expect(statuses).toEqual([204, ...Array(9).fill(422)]);
    const refused = expectProblem(await reset(token), 422, 'validation_failed');
    expect(refused.errors).toMatchObject([{ in: 'body', pointer: '/token' }]);
  });

  test('a reset token expires after ten minutes', async () => {
    const user = await api.register();
    const early = await resetTokenFor(user.email);
    api.clock.advance(599);
    expect((await reset(early)).statusCode).toBe(204);
    const late = await resetTokenFor(user.email);
    api.clock.advance(601);
    expectProblem(await reset(late), 422, 'validation_failed');
    expect((await loginAs(user.email, newPassword)).statusCode).toBe(200);
  });

  test('a reset token is void after another one is sent', async () => {
    const user = await api.register();
    const first = await resetTokenFor(user.email);
    await forgot(user.email);
    const second = await api.tokenFor('reset-password', user.email);
    expect(second).not.toBe(first);
    expectProblem(await reset(first), 422, 'validation_failed');
    expect((await reset(second)).statusCode).toBe(204);
  });

  test('a reset token is void after the email or the password changes', async () => {
    for (const change of [{ email: uniqueEmail() }, { password: newPassword }]) {
      const user = await api.signUp();
      const token = await resetTokenFor(user.email);
      const body = { ...change, current_password: password };
      expect((await api.send('PATCH', '/users/me', { token: user.token, body })).statusCode).toBe(200);
      expectProblem(await reset(token, 'a third horse battery'), 422, 'validation_failed');
    }
  });

  test('a reset token mailed to the old address stops working after the email changes', async () => {
    const user = await api.register();
    const token = await resetTokenFor(user.email);
    // Simulates a change between the read of the account and the write of the token.
    await api.database.system().users.update(user.id, { email: uniqueEmail() });
    expectProblem(await reset(token), 422, 'validation_failed');
  });

  test('a reset token stays valid if the new password is rejected', async () => {
    const user = await api.register();
    const token = await resetTokenFor(user.email);
    for (const weak of ['short', 'password123', user.email]) {
      const { errors } = expectProblem(await reset(token, weak), 422, 'validation_failed');
      expect(errors).toMatchObject([{ in: 'body', pointer: '/new_password' }]);
    }
    expect((await reset(token)).statusCode).toBe(204);
  });

  test('reset and verification tokens are not interchangeable', async () => {
    const user = await api.register();
    const toReset = await resetTokenFor(user.email);
    const toVerify = await api.tokenFor('verify-email', user.email);
    expectProblem(await verify(toReset), 422, 'validation_failed');
    expectProblem(await reset(toVerify), 422, 'validation_failed');
    for (const token of ['x', '😀', `${toReset} `, toReset.slice(1), 'A'.repeat(200)])
      expectProblem(await reset(token), 422, 'validation_failed');
    expectProblem(await reset('', newPassword), 422, 'validation_failed');
  });

  test('a reset token of a deactivated account does not work', async () => {
    const user = await api.register();
    const token = await resetTokenFor(user.email);
    await api.database.system().users.update(user.id, { is_active: false });
    expectProblem(await reset(token), 422, 'validation_failed');
  });

  test('one-time tokens have 256 random bits and are stored as SHA-256', async () => {
    const user = await api.register();
    const earlier = await resetTokenFor(user.email);
    const token = await resetTokenFor(user.email);
    expect(Buffer.from(token, 'base64url')).toHaveLength(16 + 32);
    expect(token.slice(0, 21)).toBe(earlier.slice(0, 21));
    expect(token.slice(22)).not.toBe(earlier.slice(22));
    const hash = createHash('sha256').update(token).digest('hex');
    const dump = await api.database.inspect(async (connection) => {
      const tables = ['one_time_tokens', 'pgboss.job', 'audit_events', 'users', 'user_sessions'];
      const rows = await Promise.all(tables.map((table) => connection.query(`select t::text as row from ${table} t`)));
      return JSON.stringify(rows);
    });
    expect(dump).toContain(hash);
    expect(dump).not.toContain(token);
  });
});

describe('an email address', () => {
  test('an email address is verified with the mailed token', async () => {
    const user = await api.signUp();
    const token = await api.tokenFor('verify-email', user.email);
    expect((await verify(token, user.token)).statusCode).toBe(204);
    expect((await whoAmI(user.token)).json().email_verified_at).toEqual(api.clock.now().toISOString());
    expectProblem(await verify(token), 422, 'validation_failed');
  });

  test('resend voids the previous verification token, until the address is verified', async () => {
    const user = await api.signUp();
    const first = await api.tokenFor('verify-email', user.email);
    expect((await api.send('POST', '/auth/email/resend', { token: user.token })).statusCode).toBe(202);
    const second = await api.tokenFor('verify-email', user.email);
    expectProblem(await verify(first), 422, 'validation_failed');
    api.clock.advance(86_399);
    const { access_token: token } = await api.login(user.email);
    expect((await verify(second, token)).statusCode).toBe(204);
    const before = (await api.mailsTo(user.email)).length;
    expect((await api.send('POST', '/auth/email/resend', { token })).statusCode).toBe(202);
    expect((await api.mailsTo(user.email)).length).toBe(before);
  });

  describe('that an impostor has registered first', () => {
    const login = (email: string, secret = password) =>
      api.send('POST', '/auth/login', { body: { email, password: secret } });

    test('verifying an address that an impostor registered ends the impostor’s sessions and password', async () => {
      const impostor = await api.signUp();
      const token = await api.tokenFor('verify-email', impostor.email);
      expect((await verify(token)).statusCode).toBe(204);
      expect((await whoAmI(impostor.token)).statusCode).toBe(401);
      expectProblem(await login(impostor.email), 401, 'invalid_credentials');
      const mails = await api.mailsTo(impostor.email);
      expect(mails.at(-1)?.subject).toBe('Choose a password');
      const reset = await api.tokenFor('reset-password', impostor.email);
      const body = { token: reset, new_password: 'the owner chose this' };
      expect((await api.send('POST', '/auth/password/reset', { body })).statusCode).toBe(204);
      expect((await login(impostor.email, 'the owner chose this')).statusCode).toBe(200);
      expectProblem(await login(impostor.email), 401, 'invalid_credentials');
    });

    test('verifying with the session of another account ends the impostor’s password too', async () => {
      const [impostor, owner] = [await api.signUp(), await api.signUp()];
      const token = await api.tokenFor('verify-email', impostor.email);
      expect((await verify(token, owner.token)).statusCode).toBe(204);
      expectProblem(await login(impostor.email), 401, 'invalid_credentials');
      expect((await login(owner.email)).statusCode).toBe(200);
    });

    test('verifying a changed address ends the password even if an earlier address was verified', async () => {
      const impostor = await api.signUp();
      await verify(await api.tokenFor('verify-email', impostor.email), impostor.token);
      const email = uniqueEmail();
      const body = { email, current_password: password };
      expect((await api.send('PATCH', '/users/me', { token: impostor.token, body })).statusCode).toBe(200);
      expect((await verify(await api.tokenFor('verify-email', email))).statusCode).toBe(204);
      expectProblem(await login(email), 401, 'invalid_credentials');
    });

    test('verifying in a session of the account keeps its password', async () => {
      const user = await api.signUp();
      expect((await verify(await api.tokenFor('verify-email', user.email), user.token)).statusCode).toBe(204);
      expect((await login(user.email)).statusCode).toBe(200);
      expect((await api.mailsTo(user.email)).map(({ subject }) => subject)).toEqual(['Verify your email address']);
    });
  });

  test('a verification token expires after a day', async () => {
    const user = await api.register();
    const token = await api.tokenFor('verify-email', user.email);
    api.clock.advance(86_401);
    expectProblem(await verify(token), 422, 'validation_failed');
  });

  test('a new address must be verified, and the old one gets a notice', async () => {
    const user = await api.signUp();
    const oldToken = await api.tokenFor('verify-email', user.email);
    await verify(oldToken, user.token);
    const email = uniqueEmail();
    const changed = await api.send('PATCH', '/users/me', {
      token: user.token,
      body: { email, current_password: password },
    });
    expect(changed.json().email_verified_at).toBeNull();
    expect((await api.mailsTo(user.email)).at(-1)?.subject).toBe('Your email address was changed');
    expect((await verify(await api.tokenFor('verify-email', email), user.token)).statusCode).toBe(204);
    expect((await whoAmI(user.token)).json()).toMatchObject({ email, email_verified_at: expect.any(String) });
  });

  test('an address can be verified after a change of password', async () => {
    const user = await api.signUp();
    const token = await api.tokenFor('verify-email', user.email);
    const body = { password: newPassword, current_password: password };
    expect((await api.send('PATCH', '/users/me', { token: user.token, body })).statusCode).toBe(200);
    expect((await verify(token, user.token)).statusCode).toBe(204);
  });

  test('a token for the previous address does not verify the new one', async () => {
    const user = await api.signUp();
    const token = await api.tokenFor('verify-email', user.email);
    const body = { email: uniqueEmail(), current_password: password };
    await api.send('PATCH', '/users/me', { token: user.token, body });
    expectProblem(await verify(token, user.token), 422, 'validation_failed');
    expect((await whoAmI(user.token)).json().email_verified_at).toBeNull();
  });

  test('GET does not verify an address', async () => {
    const user = await api.register();
    const token = await api.tokenFor('verify-email', user.email);
    for (const path of ['/auth/email/verify', '/auth/password/reset'])
      expectProblem(await api.send('GET', `${path}?token=${token}`), 405, 'method_not_allowed');
    expect((await verify(token)).statusCode).toBe(204);
  });

  test('an invalid access token prevents the verification and keeps the token valid', async () => {
    const user = await api.register();
    const token = await api.tokenFor('verify-email', user.email);
    expectProblem(await verify(token, 'nonsense'), 401, 'invalid_token');
    expect((await verify(token)).statusCode).toBe(204);
  });
});

// See https://github.com/lakhansamani/authorizer/issues/503
describe('who registers the address of somebody else and waits', () => {
  test('an impostor loses the account when the owner verifies the address', async () => {
    const impostor = await api.signUp();
    expect((await verify(await api.tokenFor('verify-email', impostor.email))).statusCode).toBe(204);
    expectProblem(await whoAmI(impostor.token), 401, 'invalid_token');
    const refreshed = await api.send('POST', '/auth/refresh', { body: { refresh_token: impostor.refreshToken } });
    expectProblem(refreshed, 401, 'invalid_token');
  });

  test('an impostor loses the account when the owner resets the password', async () => {
    const impostor = await api.signUp();
    await reset(await resetTokenFor(impostor.email));
    expectProblem(await whoAmI(impostor.token), 401, 'invalid_token');
    expectProblem(await loginAs(impostor.email, password), 401, 'invalid_credentials');
  });

  test('verifying keeps only a session of the same account', async () => {
    const [victim, other] = [await api.signUp(), await api.signUp()];
    expect((await verify(await api.tokenFor('verify-email', victim.email), other.token)).statusCode).toBe(204);
    expectProblem(await whoAmI(victim.token), 401, 'invalid_token');
    expect((await whoAmI(other.token)).json().email_verified_at).toBeNull();
  });

  test('verifying voids the impostor’s tokens', async () => {
    const user = await api.signUp();
    const toReset = await resetTokenFor(user.email);
    await verify(await api.tokenFor('verify-email', user.email), user.token);
    expectProblem(await reset(toReset), 422, 'validation_failed');
  });
});

test('expired one-time tokens are deleted', async () => {
  const user = await api.register();
  await resetTokenFor(user.email);
  api.clock.advance(100_000);
  await api.app.services.oneTimeTokens.deleteExpired();
  const { rows } = await api.database.inspect((connection) =>
    connection.query('select from one_time_tokens where user_id = $1', [user.id]),
  );
  expect(rows).toEqual([]);
});
