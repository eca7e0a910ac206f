/// <reference lib="dom" />
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { generateSigningKey } from '../apps/api/src/config/signing-key.ts';
import { providerVariables, signInAt, startProvider, type TestProvider } from '../apps/api/testing/provider.ts';
import { addTotp, codeAt } from '../apps/api/testing/sign-in-steps.ts';
import { password, startTestApp, type TestApp } from '../apps/api/testing/test-app.ts';
import { runIn } from '../e2e/downstream/project.ts';
import { freePort } from '../e2e/server.ts';
import { createService } from './token-verification/server.ts';

// Installs, builds and runs the examples, and uses them in Chromium: TEST_CHROMIUM, or the one that scripts/chromium.sh installs.

const root = join(import.meta.dirname, '..');
let api: TestApp;
let apiUrl: string;
let acme: TestProvider;
let browser: Browser;
let ports: { api: number; react: number; next: number };
const children: ChildProcess[] = [];

beforeAll(async () => {
  await runIn(root, process.execPath, ['scripts/pack.ts']);
  ports = { api: await freePort(), react: await freePort(), next: await freePort() };
  apiUrl = `http://localhost:${ports.api}`;
  acme = await startProvider([`${apiUrl}/api/v1/auth/providers/acme/callback`]);
  api = await startTestApp({
    APP_URL: `http://localhost:${ports.react}`,
    CORS_ORIGINS: `http://localhost:${ports.next}`,
    PUBLIC_URL: apiUrl,
    JWT_ALGORITHM: 'EdDSA',
    JWT_PRIVATE_KEY: generateSigningKey('EdDSA'),
    OIDC_PROVIDERS: 'acme',
    ...providerVariables('acme', acme),
  });
  await api.app.listen({ host: '127.0.0.1', port: ports.api });
  const executablePath =
    process.env.TEST_CHROMIUM || execFileSync(join(root, 'scripts/chromium.sh'), { encoding: 'utf8' }).trim();
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
});
afterAll(async () => {
  await browser?.close();
  await api?.close();
  await acme?.close();
});

/** Installs and builds an example, and starts it. Resolves when it answers. */
async function start(name: string, command: string, args: string[], url: string): Promise<void> {
  const cwd = join(import.meta.dirname, name);
  await runIn(cwd, 'npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline']);
  await runIn(cwd, 'npm', ['run', 'build'], { NEXT_TELEMETRY_DISABLED: '1' });
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    API_URL: `http://127.0.0.1:${ports.api}`,
  };
  children.push(spawn(join(cwd, 'node_modules/.bin', command), args, { cwd, env, stdio: 'inherit' }));
  await expect
    .poll(() =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    .toBe(true);
}

async function fillIn(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
  await page.click('button[type=submit]');
}

test('React: sign-in with a second factor and with a provider, tasks, a reload, and sign-out', async () => {
  const url = `http://localhost:${ports.react}/`;
  await start('react', 'vite', ['preview', '--port', String(ports.react), '--strictPort'], url);
  const user = await api.signUp();
  const { secret } = await addTotp(api, user.token);
  const page = await browser.newPage();
  await page.goto(url);
  await fillIn(page, { email: user.email, password: 'a wrong one' });
  await page.waitForSelector('text=The name or the password is wrong.');
  await fillIn(page, { email: user.email, password });
  await page.waitForSelector('[name=code]');
  await fillIn(page, { code: codeAt(api, secret) });
  await page.waitForSelector('text=Tasks');
  await fillIn(page, { title: 'Lay the cornerstone' });
  await page.waitForSelector('li:text("Lay the cornerstone")');
  await page.reload();
  await page.waitForSelector('li:text("Lay the cornerstone")');
  await page.click('text=Sign out');

  acme.accounts.browser = {};
  expect((await signInAt(api, 'browser', { token: user.token })).statusCode).toBe(204);
  api.clock.advance(30);
  await page.click('text=Sign in with Acme');
  await page.waitForSelector('[name=code]');
  expect(page.url()).toBe(url);
  await fillIn(page, { code: codeAt(api, secret) });
  await page.waitForSelector('li:text("Lay the cornerstone")');
  await page.close();
});

test('Next.js: server components read the session of the browser, through the route handler', async () => {
  const url = `http://localhost:${ports.next}/`;
  await start('next', 'next', ['start', '-H', '127.0.0.1', '-p', String(ports.next)], url);
  const user = await api.signUp();
  await api.send('POST', '/users/me/tasks', { token: user.token, body: { title: 'Lay the cornerstone' } });
  const page = await browser.newPage();
  await page.goto(url);
  await fillIn(page, { email: user.email, password: 'a wrong one' });
  await page.waitForSelector('text=The name or the password is wrong.');
  await fillIn(page, { email: user.email, password });
  await page.waitForSelector(`text=Tasks of ${user.email}`);
  expect(await page.textContent('li')).toBe('Lay the cornerstone');
  expect(await page.evaluate(() => document.cookie)).toBe('');
  expect(await (await fetch(url)).text()).not.toContain(user.email);
  await page.click('text=Sign out');
  await page.waitForSelector('h1:text("Sign in")');
  await page.close();
});

test('a service verifies access tokens with the public keys, and refuses all others', async () => {
  const options = { quoinUrl: `http://127.0.0.1:${ports.api}`, issuer: apiUrl, audience: 'quoin' };
  const user = await api.signUp();
  const created = await api.send('POST', '/users/me/api-keys', {
    token: user.token,
    body: { name: 'x', scopes: ['profile:read'] },
  });
  const statusOf = async (settings: typeof options, token: string) => {
    const service = createService(settings).listen(0, '127.0.0.1');
    await once(service, 'listening');
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    const body = await answer.json();
    service.close().closeAllConnections();
    return [answer.status, body];
  };
  expect(await statusOf(options, user.token)).toEqual([200, { user_id: user.id }]);
  const refused = [401, { error: 'invalid_token' }];
  const [header = '', claims = '', signature = ''] = user.token.split('.');
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
  const others = ['', 'x', `${header}.${claims}.${signature.split('').reverse().join('')}`, `${none}.${claims}.`];
  for (const token of [...others, created.json().key]) expect(await statusOf(options, token)).toEqual(refused);
  expect(await statusOf({ ...options, audience: 'another service' }, user.token)).toEqual(refused);
  const unreachable = { ...options, quoinUrl: `http://127.0.0.1:${await freePort()}` };
  expect(await statusOf(unreachable, user.token)).toEqual([503, { error: 'keys_unavailable' }]);
});
