import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

// Uses a local server with the protocol of Have I Been Pwned.

const breached = 'a password that was stolen';
const padded = 'a password that is only padding';
const asked: string[] = [];
let answer: (suffixes: string) => { status: number; body: string } | 'never';
let service: Server;
let api: TestApp;
const log: string[] = [];

beforeAll(async () => {
  const hashes = [`${sha1(breached)}:42`, `${sha1(padded)}:0`, `${sha1('something else')}:7`];
  service = createServer((request, response) => {
    const prefix = request.url?.replace('/range/', '') ?? '';
    asked.push(prefix);
    const lines = hashes.filter((hash) => hash.startsWith(prefix)).map((hash) => hash.slice(5));
    const made = answer([...lines, `${'0'.repeat(35)}:0`].join('\r\n'));
    if (made !== 'never') response.writeHead(made.status, { 'content-type': 'text/plain' }).end(made.body);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as { port: number };
  api = await startTestApp({ PASSWORD_BREACH_URL: `http://127.0.0.1:${port}/range/` }, { log });
});
beforeEach(() => {
  asked.length = 0;
  log.length = 0;
  answer = (body) => ({ status: 200, body });
});
afterAll(async () => {
  await api.close();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();
const register = (secret: string) =>
  api.send('POST', '/auth/register', { body: { email: uniqueEmail(), password: secret } });

test('a breached password is rejected wherever one is set', async () => {
  const { errors } = expectProblem(await register(breached), 422, 'validation_failed');
  expect(errors).toMatchObject([{ pointer: '/password' }]);
  const user = await api.signUp();
  const body = { password: breached, current_password: password };
  expectProblem(await api.send('PATCH', '/users/me', { token: user.token, body }), 422, 'validation_failed');
  await api.send('POST', '/auth/password/forgot', { body: { email: user.email } });
  const token = await api.tokenFor('reset-password', user.email);
  const reset = await api.send('POST', '/auth/password/reset', { body: { token, new_password: breached } });
  expect(expectProblem(reset, 422, 'validation_failed').errors).toMatchObject([{ pointer: '/new_password' }]);
});

test('other passwords are accepted, and padding of the answer is ignored', async () => {
  expect((await register('a password of my own')).statusCode).toBe(201);
  expect((await register(padded)).statusCode).toBe(201);
});

test('the range service gets five hex digits, and only for passwords that pass other checks', async () => {
  await register(breached);
  await register('password1');
  expect(asked).toEqual([sha1(breached).slice(0, 5)]);
});

test('if the range service fails or redirects, the password is accepted with a warning', async () => {
  const failures: (typeof answer)[] = [
    () => ({ status: 503, body: '' }),
    () => ({ status: 302, body: '' }),
    () => 'never',
  ];
  for (const failure of failures) {
    answer = failure;
    log.length = 0;
    expect((await register(breached)).statusCode).toBe(201);
    expect(log.join()).toContain('the breach check failed (PASSWORD_BREACH_URL)');
    expect(log.join()).not.toContain(breached);
  }
});
