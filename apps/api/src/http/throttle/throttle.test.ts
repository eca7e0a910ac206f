import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  expectProblem,
  password,
  startTestApp,
  type TestApp,
  testRedisUrl,
  uniqueEmail,
} from '../../../testing/test-app.ts';

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
/** Returns an address that no other test has used. */
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
  test('guessing gets 429 after ten attempts, for existing and unknown accounts', async () => {
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

  test('concurrent guesses count', async () => {
    const email = await register();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => login(email, `wrong guess ${n}`)));
    expect(answers.filter(({ statusCode }) => statusCode === 401)).toHaveLength(10);
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(20);
  });

  test('guesses with every spelling of a name count for one account', async () => {
    const email = await register();
    const spellings = [email, email.toUpperCase(), ` ${email} `];
    const statuses = [];
    for (let n = 0; n < 12; n++) statuses.push((await login(spellings[n % 3] ?? '', 'wrong guess')).statusCode);
    expect(statuses.slice(10)).toEqual([429, 429]);
  });

  test('guesses by email and by username count for one account', async () => {
    const account = { email: uniqueEmail(), username: `u${Date.now()}`, password };
    await api.send('POST', '/auth/register', { body: account, ...from(newAddress()) });
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push((await login(n % 2 ? account.email : account.username, 'wrong guess')).statusCode);
    expect(statuses).toEqual([...times(10, 401), 429, 429]);
  });

  test('a successful sign-in resets the limit', async () => {
    const email = await register();
    for (let round = 0; round < 3; round++) {
      expect(await guess(email, 9)).toEqual(times(9, 401));
      expect((await login(email, password)).statusCode).toBe(200);
    }
    const successes = [];
    for (let n = 0; n < 15; n++) successes.push((await login(email, password)).statusCode);
    expect(successes).toEqual(times(15, 200));
  });

  test('an IPv6 /64 counts as one address', async () => {
    const email = await register();
    const network = address.replace(/::1$/, '');
    for (let n = 0; n < 10; n++) await login(email, 'wrong guess', `${network}::${n + 1}`);
    expect((await login(email, 'wrong guess', `${network}:ffff:0:0:1`)).statusCode).toBe(429);
    expect((await login(email, 'wrong guess', newAddress())).statusCode).toBe(401);
  });

  test('an IPv6 /56 counts as four addresses', async () => {
    const group = (++next).toString(16);
    const prefix = `2001:${Math.floor(Math.random() * 0xffff).toString(16)}`;
    const inNetwork = (bits: 56 | 48, n: number) => {
      const low = (n % 256).toString(16).padStart(2, '0');
      const high =
        bits === 48
          ? Math.floor(n / 256)
              .toString(16)
              .padStart(2, '0')
          : '00';
      return `${prefix}:${group}:${high}${low}::1`;
    };
    const statusesOf = async (bits: 56 | 48, total: number) => {
      const statuses: number[] = [];
      for (let n = 0; n < total && !statuses.includes(429); n++)
        statuses.push(
          (await api.send('POST', '/auth/email/verify', { body: { token: 'x' }, ...from(inNetwork(bits, n)) }))
            .statusCode,
        );
      return statuses;
    };
    // The limit is 60 per address, so 240 per /56.
    const statuses = await statusesOf(56, 256);
    expect(statuses.indexOf(429)).toBeGreaterThanOrEqual(240);
    const other = await api.send('POST', '/auth/email/verify', {
      body: { token: 'x' },
      ...from(`${prefix}:${group}:ff00::1`),
    });
    expect(other.statusCode).toBe(422);
  });

  test('clients with ports in X-Forwarded-For have separate limits', async () => {
    const email = await register();
    await guess(email, 10, '198.51.100.1:1000');
    expect((await login(email, 'wrong guess', '198.51.100.1:2000')).statusCode).toBe(429);
    expect((await login(email, 'wrong guess', '198.51.100.2:1000')).statusCode).toBe(401);
  });

  test('one address is limited over all accounts, also after a success', async () => {
    const own = await register();
    const statuses: number[] = [];
    // More than the limit of 100, because the bucket drains while a slow machine fills it.
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
  test('an attack from many addresses slows strangers down but not the owner’s known address', async () => {
    const email = await register();
    const home = newAddress();
    expect((await login(email, password, home)).statusCode).toBe(200);
    const attackers = Array.from({ length: 11 }, newAddress);
    const statuses = [];
    for (const attacker of attackers) statuses.push(...(await guess(email, 10, attacker)));
    expect(statuses.filter((status) => status === 401)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);

    // From a new address, the owner has to wait too, for a minute at most.
    const away = newAddress();
    const refused = await login(email, password, away);
    expectProblem(refused, 429, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    // From a known address or one proven by mail, the owner does not wait.
    await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(away) });
    const token = await api.tokenFor('reset-password', email);
    const body = { token, new_password: 'another horse battery' };
    expect((await api.send('POST', '/auth/password/reset', { body, ...from(away) })).statusCode).toBe(204);
    expect((await login(email, 'another horse battery', away)).statusCode).toBe(200);
    expect((await login(email, 'another horse battery', home)).statusCode).toBe(200);
  });
});

describe('besides', () => {
  test('mails to an address are limited, whether the account exists or not', async () => {
    for (const email of [await register(), uniqueEmail()]) {
      const statuses = [];
      for (let n = 0; n < 7; n++)
        statuses.push(
          (await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(newAddress()) })).statusCode,
        );
      expect(statuses).toEqual([...times(5, 202), 429, 429]);
    }
  });

  test('verification mails are limited per account', async () => {
    const email = await register();
    const { access_token: token } = (await login(email, password)).json();
    const statuses = [];
    for (let n = 0; n < 6; n++) statuses.push((await api.send('POST', '/auth/email/resend', { token })).statusCode);
    expect(statuses).toEqual([...times(5, 202), 429]);
  });

  test('registrations of one address are limited', async () => {
    const email = uniqueEmail();
    const statuses = [];
    for (let n = 0; n < 11; n++)
      statuses.push(
        (await api.send('POST', '/auth/register', { body: { email, password }, ...from(newAddress()) })).statusCode,
      );
    expect(statuses).toEqual([201, ...times(9, 409), 429]);
  });

  test('refreshes are limited per session', async () => {
    const email = await register();
    const [one, other] = [(await login(email, password)).json(), (await login(email, password)).json()];
    const refresh = (refresh_token: string) =>
      api.send('POST', '/auth/refresh', { body: { refresh_token }, ...from(address) });
    const answers = await Promise.all(Array.from({ length: 80 }, () => refresh(one.refresh_token)));
    expect(answers.filter(({ statusCode }) => statusCode === 200).length).toBeGreaterThanOrEqual(60);
    expectProblem(answers.find(({ statusCode }) => statusCode === 429) as (typeof answers)[0], 429, 'rate_limited');
    expect((await refresh(other.refresh_token)).statusCode).toBe(200);
  });

  test('a request that does not check the password does not reset the limit of guesses', async () => {
    const { access_token: token } = (await login(await register(), password)).json();
    const patch = (body: object) => api.send('PATCH', '/users/me', { token, body });
    const statuses = [];
    for (let n = 0; n < 8; n++)
      statuses.push((await patch({ username: `u${n}x`, current_password: 'guess' })).statusCode);
    for (const body of [{ current_password: 'guess' }, { full_name: 'x', current_password: 'guess' }])
      statuses.push((await patch(body)).statusCode);
    expect(statuses).toEqual(times(10, 403));
    expect((await patch({ username: 'another', current_password: 'guess' })).statusCode).toBe(429);
  });

  test('failed registrations of an address do not count against its mails', async () => {
    const email = await register();
    for (let n = 0; n < 9; n++)
      await api.send('POST', '/auth/register', { body: { email, password }, ...from(newAddress()) });
    await api.mailsTo(email);
    await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(newAddress()) });
    for (let n = 0; n < 4; n++)
      await api.send('POST', '/auth/password/forgot', { body: { email }, ...from(newAddress()) });
    expect((await api.mailsTo(email)).filter(({ subject }) => subject === 'Reset your password')).toHaveLength(5);
  });

  test('addresses with tags count as one mailbox', async () => {
    const mailbox = `tagged${Date.now()}`;
    const tag = (n: number) => `${mailbox}+${n}@example.com`;
    const emails = Array.from({ length: 20 }, (_, n) => tag(n));
    for (const email of emails)
      await api.send('POST', '/auth/register', { body: { email, password }, ...from(newAddress()) });
    let mails = 0;
    for (const email of emails) mails += (await api.mailsTo(email)).length;
    expect(mails).toBeLessThanOrEqual(13);
  });

  test('a stranger’s address gets a limited number of mails from all routes together', async () => {
    const stranger = uniqueEmail();
    const { email } = await api.signUp();
    const { access_token: token } = (await login(email, password)).json();
    const statuses: number[] = [];
    const change = async (address: string) => {
      const body = { email: address, current_password: password };
      statuses.push((await api.send('PATCH', '/users/me', { token, body })).statusCode);
    };
    for (let n = 0; n < 30; n++) await change(n % 2 ? uniqueEmail() : stranger);
    // The account keeps its fifth address, the stranger's. Re-sending it is not a change.
    expect(statuses.slice(0, 5)).toEqual(times(5, 200));
    expect(statuses.slice(5)).toEqual(statuses.slice(5).map((_, n) => (n % 2 ? 200 : 429)));
    for (let n = 0; n < 6; n++)
      await api.send('POST', '/auth/password/forgot', { body: { email: stranger }, ...from(newAddress()) });
    expect((await api.mailsTo(stranger)).length).toBeLessThanOrEqual(12);
  });

  test('repeated registration and deletion counts against the mails of an address', async () => {
    const stranger = uniqueEmail();
    for (let n = 0; n < 9; n++) {
      const registered = await api.send('POST', '/auth/register', {
        body: { email: stranger, password },
        ...from(newAddress()),
      });
      expect(registered.statusCode).toBe(201);
      const { access_token: token } = (await login(stranger, password, newAddress())).json();
      await api.send('DELETE', '/users/me', { token, body: { current_password: password } });
      await api.mailsTo(stranger);
    }
    for (let n = 0; n < 5; n++)
      await api.send('POST', '/auth/password/forgot', { body: { email: stranger }, ...from(newAddress()) });
    expect((await api.mailsTo(stranger)).length).toBeLessThanOrEqual(12);
  });

  test('probing usernames is limited', async () => {
    const taken = `taken${Date.now()}`;
    await api.send('POST', '/auth/register', {
      body: { email: uniqueEmail(), password, username: taken },
      ...from(newAddress()),
    });
    const { access_token: token } = (await login(await register(), password)).json();
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push(
        (await api.send('PATCH', '/users/me', { token, body: { username: taken, current_password: password } }))
          .statusCode,
      );
    expect(statuses).toEqual([...times(10, 409), 429, 429]);
  });

  test('guessing the current password is limited, and changes without it are not', async () => {
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

  test('X-Forwarded-For of an untrusted client is ignored by rate limits', async () => {
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

describe('a signed-in user', () => {
  test('USER_REQUESTS_PER_MINUTE limits all private routes of a user together', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true', USER_REQUESTS_PER_MINUTE: '20' });
    try {
      const [user, other] = [await own.signUp(), await own.signUp()];
      const paths = ['/users/me', '/users/me/tasks', '/users/me/preferences', '/auth/sessions'];
      const statuses = [];
      for (let n = 0; n < 22; n++)
        statuses.push((await own.send('GET', paths[n % 4] ?? '', { token: user.token })).statusCode);
      expect(statuses).toEqual([...times(20, 200), 429, 429]);
      expect((await own.send('GET', '/users/me', { token: other.token })).statusCode).toBe(200);
      own.clock.advance(3);
      expect((await own.send('GET', '/users/me', { token: user.token })).statusCode).toBe(200);
    } finally {
      await own.close();
    }
  });
});
