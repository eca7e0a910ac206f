import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, testRedisUrl, uniqueEmail } from '../testing.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({
    RATE_LIMIT: 'true',
    TRUST_PROXY: '127.0.0.1',
    ...(testRedisUrl && { REDIS_URL: testRedisUrl }),
  });
});
afterAll(() => api.close());

let next = 0;
/** An address that no other test has used. */
const newAddress = () =>
  `2001:db8:${Math.floor(Date.now() / 1000)
    .toString(16)
    .slice(-4)}:${(++next).toString(16)}::1`;

let address: string;
beforeEach(() => {
  address = newAddress();
});
const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });
const login = (email: string, secret: string, ip = address) =>
  api.send('POST', '/auth/login', { body: { email, password: secret }, ...from(ip) });
const register = async () => {
  const email = uniqueEmail();
  const response = await api.send('POST', '/auth/register', { body: { email, password }, ...from(newAddress()) });
  expect(response.statusCode).toBe(201);
  return email;
};
const guess = async (email: string, times: number, ip = address) => {
  const statuses: number[] = [];
  for (let n = 0; n < times; n++) statuses.push((await login(email, `wrong guess ${n}`, ip)).statusCode);
  return statuses;
};
const times = <T>(count: number, value: T) => Array<T>(count).fill(value);

describe('guessing a password', () => {
  test('is slowed down after ten tries, for an account and for none in the same way', async () => {
    for (const email of [await register(), uniqueEmail()]) {
      const ip = newAddress();
      expect(await guess(email, 11, ip)).toEqual([...times(10, 401), 429]);
      const refused = await login(email, password, ip);
      expect(expectProblem(refused, 429, 'rate_limited')).toMatchObject({ error: 'temporarily_unavailable' });
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(10);
      expect(refused.headers).toMatchObject({ 'ratelimit-limit': '10', 'ratelimit-remaining': '0' });
      expect(Number(refused.headers['ratelimit-reset'])).toBeGreaterThan(60);
    }
  });

  test('counts tries at once, not only one after the other', async () => {
    const email = await register();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => login(email, `wrong guess ${n}`)));
    expect(answers.filter(({ statusCode }) => statusCode === 401)).toHaveLength(10);
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(20);
  });

  test('knows the account in every spelling of its name', async () => {
    const email = await register();
    const spellings = [email, email.toUpperCase(), ` ${email} `];
    const statuses = [];
    for (let n = 0; n < 12; n++) statuses.push((await login(spellings[n % 3] ?? '', 'wrong guess')).statusCode);
    expect(statuses.slice(10)).toEqual([429, 429]);
  });

  test('is forgotten by a success, which itself counts for nothing', async () => {
    const email = await register();
    for (let round = 0; round < 3; round++) {
      expect(await guess(email, 9)).toEqual(times(9, 401));
      expect((await login(email, password)).statusCode).toBe(200);
    }
    const successes = [];
    for (let n = 0; n < 15; n++) successes.push((await login(email, password)).statusCode);
    expect(successes).toEqual(times(15, 200));
  });

  test('goes by the network of an IPv6 address, not by the address', async () => {
    const email = await register();
    const network = address.replace(/::1$/, '');
    for (let n = 0; n < 10; n++) await login(email, 'wrong guess', `${network}::${n + 1}`);
    expect((await login(email, 'wrong guess', `${network}:ffff:0:0:1`)).statusCode).toBe(429);
    expect((await login(email, 'wrong guess', newAddress())).statusCode).toBe(401);
  });

  test('from one address is slowed down over all accounts, and its own success buys nothing', async () => {
    const own = await register();
    const statuses: number[] = [];
    // A slow machine takes longer than the two seconds in which there is room for another one.
    for (let n = 0; n < 130 && statuses.at(-1) !== 429; n++) {
      statuses.push((await login(uniqueEmail(), 'wrong guess')).statusCode);
      if ([0, 30, 60].includes(n)) expect((await login(own, password)).statusCode).toBe(200);
    }
    expect(statuses.slice(0, 99)).toEqual(times(99, 401));
    expect(statuses.at(-1)).toBe(429);
    expect((await login(own, password, newAddress())).statusCode).toBe(200);
  });
});

describe('an account that is attacked from everywhere', () => {
  test('is slowed down for strangers, but not where its owner has signed in, and never for good', async () => {
    const email = await register();
    const home = newAddress();
    expect((await login(email, password, home)).statusCode).toBe(200);
    const attackers = Array.from({ length: 11 }, newAddress);
    const statuses = [];
    for (const attacker of attackers) statuses.push(...(await guess(email, 10, attacker)));
    expect(statuses.filter((status) => status === 401)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);

    // From a new address even the owner waits, and is told for how long: a minute at most.
    const away = newAddress();
    const refused = await login(email, password, away);
    expectProblem(refused, 429, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    // From home they do not, nor from where they prove themselves by mail.
    await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(away) });
    const token = await api.tokenFor('reset-password', email);
    const body = { token, new_password: 'another horse battery' };
    expect((await api.send('POST', '/auth/password/reset', { body, ...from(away) })).statusCode).toBe(204);
    expect((await login(email, 'another horse battery', away)).statusCode).toBe(200);
    expect((await login(email, 'another horse battery', home)).statusCode).toBe(200);
  });
});

describe('besides', () => {
  test('mails to one address are few, whoever asks, and whether there is an account or not', async () => {
    for (const email of [await register(), uniqueEmail()]) {
      const statuses = [];
      for (let n = 0; n < 7; n++)
        statuses.push(
          (await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(newAddress()) })).statusCode,
        );
      expect(statuses).toEqual([...times(5, 202), 429, 429]);
    }
  });

  test('asking for another verification mail is slowed down for each account', async () => {
    const email = await register();
    const { access_token: token } = (await login(email, password)).json();
    const statuses = [];
    for (let n = 0; n < 6; n++) statuses.push((await api.send('POST', '/auth/email/resend', { token })).statusCode);
    expect(statuses).toEqual([...times(5, 202), 429]);
  });

  test('registering one address again and again is slowed down', async () => {
    const email = uniqueEmail();
    const statuses = [];
    for (let n = 0; n < 11; n++)
      statuses.push(
        (await api.send('POST', '/auth/register', { body: { email, password }, ...from(newAddress()) })).statusCode,
      );
    expect(statuses).toEqual([201, ...times(9, 409), 429]);
  });

  test('refreshing one session is slowed down, and another session is not concerned', async () => {
    const email = await register();
    const [one, other] = [(await login(email, password)).json(), (await login(email, password)).json()];
    const refresh = (refresh_token: string) =>
      api.send('POST', '/auth/refresh', { body: { refresh_token }, ...from(address) });
    const answers = await Promise.all(Array.from({ length: 80 }, () => refresh(one.refresh_token)));
    expect(answers.filter(({ statusCode }) => statusCode === 200).length).toBeGreaterThanOrEqual(60);
    expectProblem(answers.find(({ statusCode }) => statusCode === 429) as (typeof answers)[0], 429, 'rate_limited');
    expect((await refresh(other.refresh_token)).statusCode).toBe(200);
  });

  test('guessing the current password with an access token is slowed down; changes that need none are not', async () => {
    const email = await register();
    const { access_token: token } = (await login(email, password)).json();
    const change = (body: object) => api.send('PATCH', '/users/me', { token, body });
    for (let n = 0; n < 15; n++) expect((await change({ full_name: `Ada ${n}` })).statusCode).toBe(200);
    const statuses = [];
    for (let n = 0; n < 11; n++)
      statuses.push((await change({ email: uniqueEmail(), current_password: 'wrong guess' })).statusCode);
    expect(statuses).toEqual([...times(10, 403), 429]);
    const deleted = await api.send('DELETE', '/users/me', { token, body: { current_password: password } });
    expectProblem(deleted, 429, 'rate_limited');
  });

  test('who forwards an address without being trusted is throttled by their own', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const email = uniqueEmail();
      const statuses = [];
      for (let n = 0; n < 11; n++) {
        const options = { body: { email, password: 'wrong guess' }, ...from(newAddress()), remoteAddress: '192.0.2.7' };
        statuses.push((await own.send('POST', '/auth/login', options)).statusCode);
      }
      expect(statuses.at(-1)).toBe(429);
    } finally {
      await own.close();
    }
  });
});
