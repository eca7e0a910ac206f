/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Client } from '@quoin/client';
import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { providerVariables, startProvider, type TestProvider } from '../apps/api/testing/provider.ts';
import { serveClient } from './client-site.ts';
import { freePort, newDirectory, send, startServer } from './server.ts';

// Passkeys and session cookies in the Chromium of TEST_CHROMIUM, with the virtual authenticator of its DevTools. Without it, these tests are reported as skipped; CI sets it.

const chromiumPath = process.env.TEST_CHROMIUM;
const screenshots = fileURLToPath(new URL('../.data/screenshots', import.meta.url));
const password = 'correct horse battery';

declare global {
  var api: Client;
}

let browser: Browser;
let database: TestDatabase | undefined;
let directory: ReturnType<typeof newDirectory>;
let server: Awaited<ReturnType<typeof startServer>>;
let apiUrl = '';
/** The product's pages, the same with cookies, and a page of somebody else. */
let acme: TestProvider;
let site: Awaited<ReturnType<typeof serveClient>>;
let cookieSite: Awaited<ReturnType<typeof serveClient>>;
let stranger: Awaited<ReturnType<typeof serveClient>>;
let context: BrowserContext;

beforeAll(async () => {
  if (!chromiumPath) return;
  mkdirSync(screenshots, { recursive: true });
  directory = newDirectory();
  database = testServerUrl ? await createTestDatabase() : undefined;
  site = await serveClient(() => apiUrl, { host: 'localhost' });
  cookieSite = await serveClient(() => apiUrl, { host: 'localhost', session: 'cookie' });
  stranger = await serveClient(() => apiUrl, { host: 'localhost' });
  const port = await freePort();
  acme = await startProvider([`http://localhost:${port}/api/v1/auth/providers/acme/callback`]);
  const env = {
    PORT: String(port),
    PUBLIC_URL: `http://localhost:${port}`,
    OIDC_PROVIDERS: 'acme',
    ...providerVariables('acme', acme),
    APP_URL: site.url,
    CORS_ORIGINS: `${site.url},${cookieSite.url}`,
    ...(database && { DATABASE_URL: database.url }),
  };
  server = await startServer({ cwd: directory.path, env });
  apiUrl = server.url.replace('127.0.0.1', 'localhost');
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
  browser = await chromium.launch({ executablePath: chromiumPath, args });
});
afterAll(async () => {
  if (!chromiumPath) return;
  await browser?.close();
  await server?.end('SIGTERM');
  for (const one of [site, cookieSite, stranger]) one?.close();
  await acme?.close();
  await database?.close();
  directory.remove();
});

beforeEach(async () => {
  if (chromiumPath) context = await browser.newContext();
});
afterEach(() => context?.close());

let accounts = 0;
async function register(): Promise<string> {
  accounts += 1;
  const email = `browser${accounts}@example.com`;
  expect((await send(`${server.url}/api/v1/auth/register`, { body: { email, password } })).status).toBe(201);
  return email;
}

async function open(url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url, { waitUntil: 'networkidle' });
  return page;
}

/** Gives the page an authenticator as a phone has it. */
async function withAuthenticator(page: Page, { isUserVerified = true } = {}) {
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified,
      automaticPresenceSimulation: true,
    },
  });
  return { devtools, authenticatorId };
}

const credentialsOf = async ({ devtools, authenticatorId }: { devtools: CDPSession; authenticatorId: string }) =>
  (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials;

const signIn = (page: Page, email: string) =>
  page.evaluate((credentials) => globalThis.api.signIn(credentials), { email, password });

const addPasskey = (page: Page) =>
  page.evaluate(async () => (await globalThis.api.passkeys.prepareRegistration()).create('Phone'));

const signInWithPasskey = (page: Page) =>
  page.evaluate(async () => (await globalThis.api.passkeys.prepareSignIn()).signIn());

const whoAmI = (page: Page) => page.evaluate(async () => (await globalThis.api.GET('/api/v1/auth/me')).email);

const codeOf = (page: Page, run: () => Promise<unknown>): Promise<string> =>
  page.evaluate(
    (source) =>
      (new Function(`return (${source})()`)() as Promise<unknown>).then(
        () => 'nothing was refused',
        (error) => (error.name === 'ProblemError' ? error.code : error.name),
      ),
    String(run),
  );

describe.skipIf(!chromiumPath)('passkeys in Chromium', () => {
  test('a passkey is added and signs in without a name, by prompt and by autofill', async () => {
    const page = await open(site.url);
    const authenticator = await withAuthenticator(page);
    const email = await register();
    await signIn(page, email);
    expect(await addPasskey(page)).toMatchObject({ name: 'Phone', is_backed_up: false });
    const [credential] = await credentialsOf(authenticator);
    expect(credential).toMatchObject({ isResidentCredential: true, rpId: 'localhost', userName: email });

    for (const way of ['prompt', 'autofill']) {
      await page.evaluate(() => globalThis.api.signOut());
      if (way === 'prompt') await signInWithPasskey(page);
      else await page.evaluate(() => globalThis.api.passkeys.autofill());
      expect(await whoAmI(page)).toBe(email);
    }
    await page.screenshot({ path: `${screenshots}/passkeys.png` });
  });

  test('a passkey finishes a sign-in with a password', async () => {
    const page = await open(site.url);
    await withAuthenticator(page);
    const email = await register();
    await signIn(page, email);
    await addPasskey(page);
    await page.evaluate(() => globalThis.api.signOut());
    const methods = await page.evaluate(
      async (credentials) => {
        const needed = await globalThis.api.signIn(credentials).catch((error) => error);
        const passkey = await globalThis.api.passkeys.prepareSignIn();
        await globalThis.api.completeMfa({ mfa_token: needed.mfaToken, credential: await passkey.prove() });
        return needed.methods;
      },
      { email, password },
    );
    expect(methods).toEqual(['passkey']);
    expect(await whoAmI(page)).toBe(email);
  });

  test('a passkey needs the user to be verified', async () => {
    const page = await open(site.url);
    const { devtools, authenticatorId } = await withAuthenticator(page, { isUserVerified: false });
    await signIn(page, await register());
    const add = async () => (await globalThis.api.passkeys.prepareRegistration()).create();
    expect(await codeOf(page, add)).toBe('NotAllowedError');
    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await addPasskey(page);
    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    const enter = async () => (await globalThis.api.passkeys.prepareSignIn()).signIn();
    expect(await codeOf(page, enter)).toBe('NotAllowedError');
  });

  test('a passkey of a page of another origin is refused', async () => {
    const page = await open(stranger.url);
    await withAuthenticator(page);
    const email = await register();
    const login = await send(`${server.url}/api/v1/auth/login`, { body: { email, password } });
    const { access_token } = login.body;
    const authorization = { authorization: `Bearer ${access_token}` };
    const post = (path: string, body?: object) =>
      fetch(`${server.url}/api/v1${path}`, {
        method: 'POST',
        headers: { ...authorization, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      });
    // The same domain, so the browser lets it pass: the origin differs in its port.
    const options = await (await post('/users/me/passkeys/options')).json();
    const credential = await page.evaluate(async (json) => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
      const created = await navigator.credentials.create({ publicKey });
      return (created as PublicKeyCredential).toJSON();
    }, options);
    expect((await post('/users/me/passkeys', { credential })).status).toBe(422);
  });

  test('a passkey of another account is refused', async () => {
    const page = await open(site.url);
    await withAuthenticator(page);
    await signIn(page, await register());
    await addPasskey(page);
    const credential = await page.evaluate(async () => (await globalThis.api.passkeys.prepareSignIn()).prove());

    const victim = await open(site.url);
    await withAuthenticator(victim);
    const email = await register();
    await signIn(victim, email);
    await addPasskey(victim);
    const login = await send(`${server.url}/api/v1/auth/login`, { body: { email, password } });
    const { mfa_token } = login.body;
    const answer = await send(`${server.url}/api/v1/auth/mfa`, { body: { mfa_token, credential } });
    expect(answer.status).toBe(401);
  });

  test('the device forgets a passkey that no account has any more', async () => {
    const page = await open(site.url);
    const authenticator = await withAuthenticator(page);
    await signIn(page, await register());
    const { id } = await addPasskey(page);
    await page.evaluate(async (passkey_id) => {
      await globalThis.api.DELETE('/api/v1/users/me/passkeys/{passkey_id}', { params: { path: { passkey_id } } });
      await globalThis.api.signOut();
    }, id);
    const enter = async () => (await globalThis.api.passkeys.prepareSignIn()).signIn();
    expect(await codeOf(page, enter)).toBe('invalid_credentials');
    expect(await credentialsOf(authenticator)).toEqual([]);
  });
});

describe.skipIf(!chromiumPath)('a session cookie in Chromium', () => {
  test('a session cookie in Chromium survives a reload, cannot be read by scripts, and ends', async () => {
    const page = await open(cookieSite.url);
    const email = await register();
    await signIn(page, email);
    await page.reload({ waitUntil: 'networkidle' });
    expect(await whoAmI(page)).toBe(email);
    expect(await page.evaluate(() => document.cookie)).toBe('');
    const [cookie] = await context.cookies(apiUrl);
    expect(cookie).toMatchObject({ name: 'quoin_session', httpOnly: true, sameSite: 'Lax' });
    const params = { path: { user_id: 'me' } };
    const task = await page.evaluate(
      (given) =>
        globalThis.api.POST('/api/v1/users/{user_id}/tasks', { params: given, body: { title: 'From a page' } }),
      params,
    );
    expect(task.title).toBe('From a page');
    expect(await page.evaluate(() => globalThis.api.isSignedIn())).toBe(true);
    await page.evaluate(() => globalThis.api.signOut());
    expect(await page.evaluate(() => globalThis.api.isSignedIn())).toBe(false);
    expect(await context.cookies(apiUrl)).toEqual([]);
  });

  test('a session cookie in Chromium does nothing for pages of other origins and other sites', async () => {
    const page = await open(cookieSite.url);
    const email = await register();
    await signIn(page, email);
    // Another origin of the same site, to which the browser sends the cookie, and another site.
    for (const url of [stranger.url, stranger.url.replace('localhost', '127.0.0.1')]) {
      const other = await open(url);
      const outcome = await other.evaluate(async (api) => {
        const path = `${api}/api/v1/users/me/tasks`;
        const plain = { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{"title":"forged"}' } as const;
        await fetch(path, plain).catch(() => {});
        const json = {
          method: 'POST',
          credentials: 'include',
          headers: { 'content-type': 'application/json' },
        } as const;
        const sent = await fetch(path, { ...json, body: '{"title":"forged"}' }).then(
          () => 'sent',
          () => 'blocked',
        );
        const read = await fetch(`${api}/api/v1/users/me`, { credentials: 'include' }).then(
          () => 'read',
          () => 'blocked',
        );
        return { sent, read };
      }, apiUrl);
      expect(outcome).toEqual({ sent: 'blocked', read: 'blocked' });
      const submitted = other.waitForResponse((response) => response.url().includes('/tasks'));
      await other.evaluate((api) => {
        document.body.innerHTML = `<form method="post" enctype="text/plain" action="${api}/api/v1/users/me/tasks"><input name="{&quot;title&quot;:&quot;forged&quot;,&quot;x" value="&quot;}"></form>`;
        document.querySelector('form')?.submit();
      }, apiUrl);
      expect((await submitted).status()).toBeGreaterThanOrEqual(400);
      await other.close();
    }
    const params = { path: { user_id: 'me' } };
    const { items } = await page.evaluate(
      (given) => globalThis.api.GET('/api/v1/users/{user_id}/tasks', { params: given }),
      params,
    );
    expect(items).toEqual([]);
    expect(await whoAmI(page)).toBe(email);
  });
});

describe.skipIf(!chromiumPath)('a provider in Chromium', () => {
  /** Sends the browser to the provider, which returns it to a page of the site. */
  const throughProvider = async (page: Page, begin: 'begin' | 'beginLink' = 'begin') => {
    const url = await page.evaluate(
      (name) => globalThis.api.providers[name]('acme', { returnTo: '/?from=acme' }),
      begin,
    );
    await page.goto(url, { waitUntil: 'networkidle' });
    expect(page.url()).toMatch(new RegExp(`^${site.url}/\\?from=acme&code=`));
  };
  const finish = (page: Page) => page.evaluate(() => globalThis.api.providers.finish());

  test('a person signs in with a provider, signs in again, links another account there, and cannot link that of somebody else', async () => {
    acme.accounts.browser = { email: 'ada@acme.example', email_verified: true };
    const page = await open(site.url);
    await throughProvider(page);
    expect(await finish(page)).toBe('signed in');
    expect(await whoAmI(page)).toBe('ada@acme.example');
    const id = await page.evaluate(async () => (await globalThis.api.GET('/api/v1/users/me')).id);

    await page.evaluate(() => globalThis.api.signOut());
    await throughProvider(page);
    expect(await finish(page)).toBe('signed in');
    expect(await page.evaluate(async () => (await globalThis.api.GET('/api/v1/users/me')).id)).toBe(id);

    acme.accounts.browser = { email: 'ada@acme.example', email_verified: true };
    const other = await open(site.url);
    await signIn(other, await register());
    await throughProvider(other, 'beginLink');
    expect(await codeOf(other, () => globalThis.api.providers.finish())).toBe('identity_taken');
  });

  test('a browser that comes back from the sign-in of another one is not signed in', async () => {
    acme.accounts.browser = { email: 'mallory@acme.example', email_verified: true };
    const attacker = await open(site.url);
    await throughProvider(attacker);
    const victims = await browser.newContext();
    try {
      const victim = await victims.newPage();
      await victim.goto(attacker.url(), { waitUntil: 'networkidle' });
      expect(await finish(victim)).toBeUndefined();
      expect(await victim.evaluate(() => globalThis.api.isSignedIn())).toBe(false);
      await victim.evaluate(() => globalThis.api.providers.begin('acme'));
      await victim.goto(attacker.url(), { waitUntil: 'networkidle' });
      expect(await codeOf(victim, () => globalThis.api.providers.finish())).toBe('invalid_credentials');
    } finally {
      await victims.close();
    }
  });
});
