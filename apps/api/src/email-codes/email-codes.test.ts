import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addTotp, codeAt, emailCode } from '../../testing/sign-in-steps.ts';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const ask = (email: string) => api.send('POST', '/auth/email-code', { body: { email } });
const confirm = (body: { challenge: string; code: string }) => api.send('POST', '/auth/email-code/confirm', { body });
const wrong = (code: string) => (code === '000000' ? '000001' : '000000');

const verifiedUser = async () => {
  const user = await api.signUp();
  const body = { token: await api.tokenFor('verify-email', user.email) };
  await api.send('POST', '/auth/email/verify', { token: user.token, body });
  return user;
};

describe('a code by mail', () => {
  test('a code by mail signs in once; the mail has the code and a link to the page', async () => {
    const { email } = await verifiedUser();
    const given = await emailCode(api, email);
    const mail = (await api.mailsTo(email)).at(-1);
    expect(mail?.text).toContain(given.code);
    expect(mail?.link).toBe(`http://localhost:3000/sign-in?code=${given.code}`);
    const answer = await confirm(given);
    expect(answer.statusCode).toBe(200);
    expect((await api.send('GET', '/users/me', { token: answer.json().access_token })).json().email).toBe(email);
    expectProblem(await confirm(given), 401, 'invalid_credentials');
    // The password of a verified account stays.
    await api.login(email);
  });

  test('a code by mail works only with the challenge of its request', async () => {
    const { email } = await verifiedUser();
    const stranger = await emailCode(api, (await verifiedUser()).email);
    const { challenge, code } = await emailCode(api, email);
    expectProblem(await confirm({ challenge: stranger.challenge, code }), 401, 'invalid_credentials');
    expectProblem(await confirm({ challenge: 'made up', code }), 401, 'invalid_credentials');
    expect((await confirm({ challenge, code })).statusCode).toBe(200);
  });

  test('a code by mail is void after five wrong tries, after ten minutes, and after another one was sent', async () => {
    const { email } = await verifiedUser();
    const guessed = await emailCode(api, email);
    for (let n = 0; n < 5; n++)
      expectProblem(await confirm({ ...guessed, code: wrong(guessed.code) }), 401, 'invalid_credentials');
    expectProblem(await confirm(guessed), 401, 'invalid_credentials');

    const late = await emailCode(api, email);
    api.clock.advance(601);
    expectProblem(await confirm(late), 401, 'invalid_credentials');

    const first = await emailCode(api, email);
    const second = await emailCode(api, email);
    expectProblem(await confirm(first), 401, 'invalid_credentials');
    expect((await confirm(second)).statusCode).toBe(200);
  });

  test('of 50 parallel uses of a code by mail, one signs in', async () => {
    const { email } = await verifiedUser();
    const given = await emailCode(api, email);
    const answers = await Promise.all(Array.from({ length: 50 }, () => confirm(given)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, ...Array(49).fill(401)]);
  });

  test('a request for a code has the same answer for an unknown address, which gets no mail and no session', async () => {
    const unknown = uniqueEmail();
    const { email } = await verifiedUser();
    const answers = [await ask(unknown), await ask(email)];
    for (const { statusCode, headers, json } of answers) {
      expect(statusCode).toBe(202);
      expect(headers['cache-control']).toBe('no-store');
      expect(Object.keys(json())).toEqual(['challenge']);
      expect(json().challenge).toMatch(/^[\w-]{43}$/);
    }
    expect(await api.mailsTo(unknown)).toEqual([]);
    for (const code of ['000000', '123456'])
      expectProblem(await confirm({ challenge: answers[0]?.json().challenge, code }), 401, 'invalid_credentials');
  });

  test('codes by mail cannot be read from the database', async () => {
    const { email } = await verifiedUser();
    const { challenge, code } = await emailCode(api, email);
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ row: string }>('select c::text as row from challenges c where email = $1', [email]),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(challenge);
    expect(rows[0]?.row).not.toMatch(new RegExp(`\\b${code}\\b`));
  });

  test('a code by mail is one factor, never the second', async () => {
    const user = await verifiedUser();
    await addTotp(api, user.token);
    expectProblem(await confirm(await emailCode(api, user.email)), 403, 'mfa_required');
  });

  test('a code by mail proves the address: a password and sessions from before are those of an impostor', async () => {
    const impostor = await api.signUp();
    const answer = await confirm(await emailCode(api, impostor.email));
    expect(answer.statusCode).toBe(200);
    const own = await api.send('GET', '/users/me', { token: answer.json().access_token });
    expect(own.json().email_verified_at).not.toBeNull();
    expectProblem(await api.send('GET', '/users/me', { token: impostor.token }), 401, 'invalid_token');
    const login = await api.send('POST', '/auth/login', { body: { email: impostor.email, password } });
    expectProblem(login, 401, 'invalid_credentials');
    expect((await api.mailsTo(impostor.email)).map(({ subject }) => subject)).toContain('Choose a password');
  });

  test('an impostor’s account with a second factor is not verified by the mails of the owner', async () => {
    const impostor = await api.signUp();
    await addTotp(api, impostor.token);
    const verified = async () =>
      (await api.send('GET', '/users/me', { token: impostor.token })).json().email_verified_at;
    expectProblem(await confirm(await emailCode(api, impostor.email)), 403, 'mfa_required');
    const token = await api.tokenFor('verify-email', impostor.email);
    expectProblem(await api.send('POST', '/auth/email/verify', { body: { token } }), 422, 'validation_failed');
    expect(await verified()).toBeNull();
    // The holder of the account verifies it in a session, or with the second factor.
    const own = await api.send('POST', '/auth/email/verify', { token: impostor.token, body: { token } });
    expect(own.statusCode).toBe(204);
    expect(await verified()).not.toBeNull();

    const other = await api.signUp();
    const { secret } = await addTotp(api, other.token);
    const asked = await confirm(await emailCode(api, other.email));
    const body = { mfa_token: asked.json().mfa_token, code: codeAt(api, secret) };
    const signedIn = await api.send('POST', '/auth/mfa', { body });
    const account = await api.send('GET', '/users/me', { token: signedIn.json().access_token });
    expect(account.json().email_verified_at).not.toBeNull();
    await api.send('POST', '/auth/login', { body: { email: other.email, password } });

    const third = await api.signUp();
    await addTotp(api, third.token);
    await api.send('POST', '/auth/password/forgot', { body: { email: third.email } });
    const reset = { token: await api.tokenFor('reset-password', third.email), new_password: 'another horse battery' };
    expect((await api.send('POST', '/auth/password/reset', { body: reset })).statusCode).toBe(204);
    expect((await api.database.system().users.find(third.id))?.email_verified_at).toBeNull();
  });

  test('guesses of an address’s codes are limited over all challenges', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const { email } = await limited.register();
      const statuses: number[] = [];
      for (let round = 0; round < 6; round++) {
        limited.clock.advance(120);
        const { challenge, code } = await emailCode(limited, email);
        for (let n = 0; n < 5; n++) {
          const body = { challenge, code: wrong(code) };
          statuses.push((await limited.send('POST', '/auth/email-code/confirm', { body })).statusCode);
        }
      }
      expect(statuses.slice(0, 25)).toEqual(Array(25).fill(401));
      expect(statuses.slice(27)).toEqual([429, 429, 429]);
    } finally {
      await limited.close();
    }
  });

  test('a code by mail does not work after the address has changed', async () => {
    const user = await verifiedUser();
    const given = await emailCode(api, user.email);
    await api.database.system().users.update(user.id, { email: uniqueEmail() });
    expectProblem(await confirm(given), 401, 'invalid_credentials');
  });

  test('codes are mailed a limited number of times, and the answers do not reveal it', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const { email } = await limited.register();
      for (const address of [email, uniqueEmail()]) {
        const ask = (remoteAddress: string) =>
          limited.send('POST', '/auth/email-code', { body: { email: address }, remoteAddress });
        for (let n = 0; n < 5; n++) expect((await ask(`203.0.113.${n}`)).statusCode).toBe(202);
        expectProblem(await ask('203.0.113.9'), 429, 'rate_limited');
      }
      const before = (await limited.mailsTo(email)).length;
      for (let n = 0; n < 12; n++) {
        limited.clock.advance(120);
        expect((await limited.send('POST', '/auth/email-code', { body: { email } })).statusCode).toBe(202);
      }
      // The first mail is the one that verifies the address. After twelve, one in five minutes is sent.
      expect(before).toBeGreaterThan(0);
      expect((await limited.mailsTo(email)).length).toBeLessThan(1 + 5 + 12);
    } finally {
      await limited.close();
    }
  });
});
