/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { serveClient } from './client-site.ts';
import { newDirectory, send, startServer } from './server.ts';

// The documentation page and @quoin/client in a real browser: the Chromium of TEST_CHROMIUM. Without it, these tests are reported as skipped; CI sets
// it. Screenshots are written to .data/screenshots.

const chromiumPath = process.env.TEST_CHROMIUM;
const root = fileURLToPath(new URL('..', import.meta.url));
const screenshots = `${root}.data/screenshots`;
const ada = { email: 'ada@example.com', password: 'correct horse battery' };

let browser: Browser;
let database: TestDatabase | undefined;
let directory: ReturnType<typeof newDirectory>;
let server: Awaited<ReturnType<typeof startServer>>;
let site: Awaited<ReturnType<typeof serveClient>>;
let context: BrowserContext;
/** Requests and errors of the pages. */
let requests: string[];
let faults: string[];

beforeAll(async () => {
  if (!chromiumPath) return;
  mkdirSync(screenshots, { recursive: true });
  directory = newDirectory();
  database = testServerUrl ? await createTestDatabase() : undefined;
  site = await serveClient(() => server.url);
  const env = { CORS_ORIGINS: site.url, ...(database && { DATABASE_URL: database.url }) };
  server = await startServer({ cwd: directory.path, env });
  expect((await send(`${server.url}/api/v1/auth/register`, { body: ada })).status).toBe(201);
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
  browser = await chromium.launch({ executablePath: chromiumPath, args });
});
afterAll(async () => {
  if (!chromiumPath) return;
  await browser?.close();
  await server?.end('SIGTERM');
  site?.close();
  await database?.close();
  directory.remove();
});

beforeEach(async () => {
  if (!chromiumPath) return;
  [requests, faults] = [[], []];
  context = await browser.newContext();
});
afterEach(() => context?.close());

async function open(url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  if (Object.keys(options).length > 0) {
    await context.close();
    context = await browser.newContext(options);
  }
  const page = await context.newPage();
  page.on('request', (request) => void requests.push(`${request.method()} ${request.url()}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', ({ message }) => void faults.push(message));
  await page.addInitScript(() =>
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`CSP: ${violatedDirective} ${blockedURI}`),
    ),
  );
  await page.goto(url, { waitUntil: 'networkidle' });
  return page;
}

/** Expects no requests to other origins and no errors. */
function expectPeace() {
  const strangers = requests.filter(
    (request) =>
      !/^\w+ (data|blob):/.test(request) && ![server.url, site.url].some((url) => request.includes(` ${url}/`)),
  );
  expect({ strangers, faults }).toEqual({ strangers: [], faults: [] });
  expect(requests.length).toBeGreaterThan(0);
}

describe.skipIf(!chromiumPath)('the documentation', () => {
  test('/docs signs in with the password form, sends a request, and contacts no other server', async () => {
    const page = await open(`${server.url}/docs`);
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    await page.locator('#oauth_username').fill(ada.email);
    await page.locator('#oauth_password').fill(ada.password);
    await page.locator('.auth-container', { hasText: 'OAuth2' }).getByRole('button', { name: 'Apply given' }).click();
    await page.locator('.auth-btn-wrapper', { hasText: 'Logout' }).waitFor();
    await page.screenshot({ path: `${screenshots}/docs-authorized.png` });
    await page.locator('.btn-done').first().click();

    const operation = page.locator('.opblock-get', { has: page.locator('[data-path="/api/v1/users/me"]') });
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table .response').first();
    await answer.waitFor();
    expect(await answer.locator('.response-col_status').textContent()).toContain('200');
    expect(await answer.locator('.response-col_description').textContent()).toContain(ada.email);
    await answer.scrollIntoViewIfNeeded();
    await page.screenshot({ path: `${screenshots}/docs-users-me.png` });
    expectPeace();
  });
});

describe.skipIf(!chromiumPath)('the landing page', () => {
  test('links to the documentation and the health checks, and every link works', async () => {
    const page = await open(server.url, { viewport: { width: 1280, height: 900 } });
    await page.screenshot({ path: `${screenshots}/home-light.png`, fullPage: true });
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Quoin');
    const targets = await page
      .locator('a')
      .evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href));
    for (const path of ['/docs', '/health']) expect(targets).toContain(`${server.url}${path}`);
    for (const target of targets) {
      const response = await fetch(target);
      expect([target, response.status, (await response.text()).length > 0]).toEqual([target, 200, true]);
    }
    expectPeace();
  });

  test('fits a phone, in dark mode', async () => {
    const phone = { width: 360, height: 740 };
    const page = await open(server.url, { viewport: phone, colorScheme: 'dark', isMobile: true, deviceScaleFactor: 2 });
    await page.screenshot({ path: `${screenshots}/home-phone-dark.png`, fullPage: true });
    const isDark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(isDark).toBe('rgb(22, 25, 27)');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(phone.width);
    const heights = await page.locator('ul.links a').evaluateAll((links) => links.map((link) => link.clientHeight));
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(44);
    expectPeace();
  });
});

describe.skipIf(!chromiumPath)('@quoin/client in two tabs', () => {
  test('two tabs of @quoin/client share a session and refresh it once', async () => {
    const [one, other] = [await open(site.url), await open(site.url)];
    const evaluate = (page: Page, work: string) => page.evaluate(`(async () => { ${work} })()`);
    await evaluate(one, `await api.signIn(${JSON.stringify(ada)})`);
    expect(await evaluate(other, 'return api.isSignedIn()')).toBe(true);
    await evaluate(one, 'const kept = await store.get(); await store.set({ ...kept, refreshAt: 0 })');
    const calls = `const users = await Promise.all([1, 2, 3, 4].map(() => api.GET('/api/v1/users/me'))); return users.map(({ email }) => email)`;
    const emails = await Promise.all([evaluate(one, calls), evaluate(other, calls)]);
    expect(emails.flat()).toEqual(Array(8).fill(ada.email));
    expect(requests.filter((request) => request === `POST ${server.url}/api/v1/auth/refresh`)).toHaveLength(1);

    await evaluate(one, 'await api.signOut()');
    expect(await evaluate(other, 'return api.isSignedIn()')).toBe(false);
    expectPeace();
  });
});
