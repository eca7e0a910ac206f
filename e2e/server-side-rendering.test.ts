import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { password, startTestApp, type TestApp } from '../apps/api/testing/test-app.ts';
import { createPageServer } from '../examples/server-side-rendering/server.ts';

let api: TestApp;
let pages: ReturnType<typeof createPageServer>;
let url = '';

beforeAll(async () => {
  api = await startTestApp();
  pages = createPageServer(await api.app.listen({ host: '127.0.0.1', port: 0 }));
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  url = `http://localhost:${(pages.address() as AddressInfo).port}`;
});
afterAll(async () => {
  pages.close().closeAllConnections();
  await api.close();
});

const post = (path: string, headers: Record<string, string>, body?: object) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });

test('a server renders pages with the session of the browser', async () => {
  const { email } = await api.register({ email: `o'hara&sons.${Date.now()}@example.com` });
  const pageOf = async (cookie = '') => (await fetch(url, { headers: { cookie } })).text();
  expect(await pageOf()).toContain('<title>Sign in</title>');

  const browser = { 'sec-fetch-site': 'same-origin' };
  const signedIn = await post('/api/v1/auth/login', browser, { email, password, session: 'cookie' });
  expect(signedIn.status).toBe(204);
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';');
  expect(await pageOf(cookie)).toContain(`You are ${email.replace('&', '&#38;')}.`);

  expect((await post('/api/v1/auth/logout', { cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect(await pageOf(cookie)).toContain('<title>Account</title>');
  expect((await post('/api/v1/auth/logout', { cookie, ...browser })).status).toBe(204);
  expect(await pageOf(cookie)).toContain('<title>Sign in</title>');
});
