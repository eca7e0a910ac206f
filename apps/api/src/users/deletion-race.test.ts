import type { Scope } from '@quoin/db';
import { createTestDatabase, type TestDatabase } from '@quoin/db/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAnswerCheck } from '../../testing/answer-check.ts';
import { password, testEnvironment, uniqueEmail } from '../../testing/test-app.ts';
import { buildApp } from '../app.ts';
import { parseConfig } from '../config/config.ts';

// Deletes an account during one of its requests: before its first unit of work, before its second, and so on.

let database: TestDatabase;
let app: Awaited<ReturnType<typeof buildApp>>;
let checkAnswer: ReturnType<typeof createAnswerCheck>;
/** Units of work until `interrupt` is called. */
let unitsLeft = Number.POSITIVE_INFINITY;
let interrupt = async () => {};

async function beforeUnit() {
  unitsLeft -= 1;
  if (unitsLeft === 0) await interrupt();
}

/** Calls `beforeUnit` before every transaction and every single statement. */
function withInterruption<Units extends object>(units: Units): Units {
  type Method = (...parameters: unknown[]) => unknown;
  const before =
    (method: Method): Method =>
    async (...parameters) => {
      await beforeUnit();
      return method(...parameters);
    };
  return new Proxy(units, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as object | Method;
      if (typeof value === 'function') return before(value as Method);
      return new Proxy(value, { get: (repository, method) => before(Reflect.get(repository, method)) });
    },
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  const interrupted: TestDatabase = {
    ...database,
    as: ((scope: Scope) => withInterruption(database.as(scope))) as TestDatabase['as'],
    system: (scope) => withInterruption(database.system(scope)),
  };
  app = await buildApp(parseConfig(testEnvironment()), interrupted, {});
  await app.ready();
  checkAnswer = createAnswerCheck(app.swagger() as never);
});
afterAll(async () => {
  await app.close();
  await database.close();
});

const preferences = '/users/me/preferences';
const requests: [method: string, path: string, body?: object][] = [
  ['GET', '/users/me'],
  ['GET', preferences],
  ['PUT', preferences, { theme: 'dark' }],
  ['PATCH', preferences, { theme: 'dark' }],
  ['POST', '/users/me/tasks', { title: 'x' }],
  ['GET', '/users/me/tasks'],
  ['POST', '/users/me/documents', { title: 'x', content: 'x' }],
  ['POST', '/users/me/documents/batch', { items: [{ title: 'x', content: 'x' }] }],
  ['POST', '/users/me/documents/search', { query: 'x' }],
  ['PATCH', '/users/me', { full_name: 'x' }],
  ['PATCH', '/users/me', { username: 'UNIQUE', current_password: password }],
  ['PATCH', '/users/me', { email: 'UNIQUE@example.com', current_password: password }],
  ['PATCH', '/users/me', { password: 'another horse battery', current_password: password }],
  ['DELETE', '/users/me', { current_password: password }],
  ['GET', '/auth/sessions'],
  ['POST', '/auth/email/resend'],
  ['POST', '/auth/logout'],
  ['POST', '/auth/logout-all'],
];

test.each(requests)('%s %s %j does not answer 500 if the account is deleted meanwhile', async (method, path, body) => {
  const statuses: number[] = [];
  for (let unit = 1; unit <= 6; unit++) {
    const account = { email: uniqueEmail(), password };
    const url = (rest: string) => `/api/v1${rest}`;
    const { id } = (await app.inject({ method: 'POST', url: url('/auth/register'), payload: account })).json();
    const tokens = (await app.inject({ method: 'POST', url: url('/auth/login'), payload: account })).json();
    unitsLeft = unit;
    interrupt = async () => {
      const { deletedAccounts } = database.system();
      await deletedAccounts.mark(id, new Date());
      await deletedAccounts.delete(id);
    };
    const response = await app.inject({
      method: method as 'GET',
      url: url(path),
      headers: { authorization: `Bearer ${tokens.access_token}` },
      ...(body && { payload: JSON.parse(JSON.stringify(body).replace('UNIQUE', `race-${unit}`)) }),
    });
    unitsLeft = Number.POSITIVE_INFINITY;
    checkAnswer(method, url(path), response);
    statuses.push(response.statusCode);
  }
  expect(statuses[0]).toBe(401);
  for (const status of statuses) expect([200, 201, 202, 204, 401, 403, 404]).toContain(status);
});
