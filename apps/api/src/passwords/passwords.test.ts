import { hash } from '@node-rs/argon2';
import { hash as hashBcrypt } from '@node-rs/bcrypt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, testEnvironment } from '../../testing/test-app.ts';
import { parseConfig } from '../config/config.ts';
import { createPasswords, isOutdatedHash, isUsableHash, recommendedCost } from './passwords.ts';

const passwords = createPasswords({ passwordLengthMin: 8, passwordContextWords: ['Cornerstone'] });

// Test vectors from the reference implementation of Argon2 (src/test.c) and from crypt_blowfish (wrapper.c).
const argon2Reference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
const bcryptReference = 'CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

test('known-answer hashes of Argon2id and bcrypt verify only their passwords', async () => {
  expect(await passwords.verify('password', argon2Reference)).toBe(true);
  expect(await passwords.verify('passworD', argon2Reference)).toBe(false);
  for (const version of ['2a', '2b', '2y']) {
    expect(await passwords.verify('U*U', `$${version}$05$${bcryptReference}`)).toBe(true);
    expect(await passwords.verify('U*V', `$${version}$05$${bcryptReference}`)).toBe(false);
  }
});

test('a new hash is salted Argon2id with parameters, without truncation', async () => {
  const long = 'x'.repeat(255);
  const [one, other] = [await passwords.hash(`${long}a`), await passwords.hash(`${long}a`)];
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(one).not.toBe(other);
  expect(await passwords.verify(`${long}a`, one)).toBe(true);
  expect(await passwords.verify(`${long}b`, one)).toBe(false);
  expect(await passwords.verify(long, one)).toBe(false);
  expect(await passwords.verify('anything', undefined)).toBe(false);
});

test('a context word with digits and punctuation is rejected as password', async () => {
  const owner = { email: 'ada@example.com' };
  for (const bad of ['Cornerstone2026!', '**cornerstone**', 'c.o.r.n.e.r.s.t.o.n.e.'])
    await expect(passwords.accept(bad, owner)).rejects.toThrow('a name that attackers try first');
  await expect(passwords.accept('cornerstones and keystones', owner)).resolves.toBeUndefined();
});

test('a stored hash that cannot be verified counts as wrong and is logged', async () => {
  const warnings: string[] = [];
  const own = createPasswords(
    { passwordLengthMin: 8, passwordContextWords: [] },
    { warn: (_, message) => warnings.push(message) },
  );
  const broken = '$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await own.verify('password', broken)).toBe(false);
  expect(warnings).toEqual(['a stored password hash cannot be verified']);
  expect(await own.verify('password', null)).toBe(false);
});

test('bcrypt does not block the main thread', async () => {
  const costly = await hashBcrypt('password', { cost: 12 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  expect(await passwords.verify('password', costly)).toBe(true);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
});

test('the name of the product is a context word by default', async () => {
  const { passwordContextWords } = parseConfig(testEnvironment());
  const own = createPasswords({ passwordLengthMin: 8, passwordContextWords });
  for (const bad of ['quoin2026!', 'Quoin-1234', '!!quoin!!'])
    await expect(own.accept(bad, { email: 'ada@example.com' })).rejects.toThrow('a name that attackers try first');
});

test('composed and decomposed Unicode forms are the same password', async () => {
  expect(await passwords.verify('caf\u00e9 \u2460', await passwords.hash('cafe\u0301 1'))).toBe(true);
});

test.each([
  [argon2Reference, false],
  ['$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', false],
  ['$argon2id$v=19$m=19455,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', true],
  ['$argon2id$v=19$m=19456,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', true],
  ['$argon2i$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', true],
  [`$2b$12$${bcryptReference}`, true],
])('isOutdatedHash: %s is outdated: %s', (passwordHash, isOutdated) => {
  expect(isOutdatedHash(passwordHash)).toBe(isOutdated);
  expect(isUsableHash(passwordHash)).toBe(true);
});

test.each([
  '',
  'plain text',
  '5f4dcc3b5aa765d61d8327deb882cf99',
  `$2x$05$${bcryptReference}`,
  `$2b$31$${bcryptReference}`,
  `$2b$05$${bcryptReference}x`,
  '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  `$2b$13$${bcryptReference}`,
  '$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=65536,t=2,p=64$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=4,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=19456,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
])('isUsableHash rejects %j', (passwordHash) => {
  expect(isUsableHash(passwordHash)).toBe(false);
});

describe('a sign-in with an outdated hash', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startTestApp({}, { hashCost: recommendedCost });
  });
  afterAll(() => api.close());

  const outdated: [string, () => Promise<string>][] = [
    ['bcrypt', () => hashBcrypt(password, { cost: 4 })],
    ['a cheaper Argon2id', () => hash(password, { memoryCost: 8192, timeCost: 1, parallelism: 1 })],
  ];
  test.each(outdated)('a sign-in with a hash of %s renews the hash', async (_, make) => {
    const { id, email } = await api.register();
    await api.database.system().transaction(async ({ users }) => users.update(id, { password_hash: await make() }));
    expectProblem(
      await api.send('POST', '/auth/login', { body: { email, password: 'not it' } }),
      401,
      'invalid_credentials',
    );
    const all = await Promise.all(Array.from({ length: 5 }, () => api.login(email)));
    for (const { access_token } of all) {
      expect((await api.send('GET', '/users/me', { token: access_token })).statusCode).toBe(200);
    }
    const user = await api.database.system().users.find(id);
    expect(user?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await api.login(email);
  });

  test('a sign-in with a current hash does not change it', async () => {
    const { id, email } = await api.register();
    const before = await api.database.system().users.find(id);
    await api.login(email);
    expect(await api.database.system().users.find(id)).toEqual(before);
  });
});
