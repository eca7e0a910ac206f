import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, memoryStore, ProblemError, type TokenStore } from '@quoin/client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { browse, providerVariables, returnTo, startProvider, type TestProvider } from '../apps/api/testing/provider.ts';
import { password, startTestApp, type TestApp, uniqueEmail } from '../apps/api/testing/test-app.ts';

// @quoin/client over HTTP: against the API, and against a server with scripted responses that the API does not produce on demand.

let api: TestApp;
let baseUrl: string;
let acme: TestProvider;
beforeAll(async () => {
  acme = await startProvider(['http://localhost/api/v1/auth/providers/acme/callback']);
  api = await startTestApp({
    PUBLIC_URL: 'http://localhost',
    OIDC_PROVIDERS: 'acme',
    ...providerVariables('acme', acme),
  });
  baseUrl = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await api.close();
  await acme.close();
});

const accessTokenSeconds = 15 * 60;
const me = { params: { path: { user_id: 'me' } } } as const;

/** Returns a signed-in client and a record of its requests. */
async function signedIn({ store = memoryStore(), ...options }: Partial<Parameters<typeof createClient>[0]> = {}) {
  const { email } = await api.register();
  const sent: string[] = [];
  const fetch = (request: Request) => {
    sent.push(`${request.method} ${new URL(request.url).pathname}`);
    return globalThis.fetch(request);
  };
  const client = createClient({ baseUrl, store, fetch, ...options });
  await client.signIn({ email, password });
  sent.length = 0;
  const count = (line: string) => sent.filter((one) => one === line).length;
  return { client, store, sent, count, email };
}

const refresh = 'POST /api/v1/auth/refresh';

/** The access token has expired by the server's clock, but not by this machine's. */
const letTokenExpire = () => api.clock.advance(accessTokenSeconds + 1);

/** The client believes that the access token is about to expire. */
async function makeStale(store: TokenStore) {
  const kept = await store.get();
  if (kept) await store.set({ ...kept, refreshAt: 0 });
}

const problemOf = async (promise: Promise<unknown>): Promise<ProblemError> => {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return error as ProblemError;
};

describe('a session', () => {
  test('client: a session can be started, used and ended', async () => {
    const { client, store } = await signedIn();
    const task = await client.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'Lay the cornerstone' } });
    const page = await client.GET('/api/v1/users/{user_id}/tasks', {
      params: { path: { user_id: 'me' }, query: { limit: 1, q: 'corner' } },
    });
    expect(page).toEqual({ items: [task], next_cursor: null });
    const path = { path: { user_id: 'me', task_id: task.id } } as const;
    const changed = await client.PATCH('/api/v1/users/{user_id}/tasks/{task_id}', {
      params: path,
      body: { is_completed: true },
    });
    expect(changed.is_completed).toBe(true);
    expect(await client.DELETE('/api/v1/users/{user_id}/tasks/{task_id}', { params: path })).toBeUndefined();

    const kept = await store.get();
    expect(await client.isSignedIn()).toBe(true);
    await client.signOut();
    expect([await client.isSignedIn(), await store.get()]).toEqual([false, undefined]);
    expect((await api.send('GET', '/users/me', { token: kept?.accessToken })).statusCode).toBe(401);
    expect((await problemOf(client.GET('/api/v1/users/me'))).code).toBe('missing_token');
    await client.signOut();
  });

  test('client: concurrent calls with an expired token refresh once', async () => {
    const { client, count, email } = await signedIn();
    letTokenExpire();
    const users = await Promise.all(Array.from({ length: 20 }, () => client.GET('/api/v1/users/me')));
    expect(new Set(users.map((user) => user.email))).toEqual(new Set([email]));
    expect(count(refresh)).toBe(1);
    expect(count('GET /api/v1/users/me')).toBeGreaterThan(20);
    letTokenExpire();
    const body = { title: 'Sent again, whole' };
    expect((await client.POST('/api/v1/users/{user_id}/tasks', { ...me, body })).title).toBe(body.title);
    expect(count(refresh)).toBe(2);
  });

  test('client: a session is refreshed before its token expires', async () => {
    const { client, store, sent, count } = await signedIn();
    await makeStale(store);
    await Promise.all(Array.from({ length: 20 }, () => client.GET('/api/v1/users/me')));
    expect([count(refresh), sent.length]).toEqual([1, 21]);
    await client.GET('/api/v1/users/me');
    expect(count(refresh)).toBe(1);
  });

  test('client: a failed refresh keeps tokens that are still valid', async () => {
    const store = memoryStore();
    const { client } = await signedIn({
      store,
      fetch: async (request) => {
        if (request.url.endsWith('/refresh')) throw new TypeError('fetch failed');
        return fetch(request);
      },
    });
    await makeStale(store);
    expect(await client.GET('/api/v1/users/me')).toMatchObject({ is_active: true });
    letTokenExpire();
    await expect(client.GET('/api/v1/users/me')).rejects.toThrow('fetch failed');
    expect(await client.isSignedIn()).toBe(true);
  });

  test('client: a session survives a lost refresh response', async () => {
    const store = memoryStore();
    let isLost = true;
    const { client } = await signedIn({
      store,
      fetch: async (request) => {
        const response = await fetch(request);
        if (!request.url.endsWith('/refresh') || !isLost) return response;
        isLost = false;
        throw new TypeError('fetch failed');
      },
    });
    letTokenExpire();
    expect(await client.GET('/api/v1/users/me')).toMatchObject({ is_active: true });
    expect(isLost).toBe(false);
  });

  test('client: a rejected refresh ends the session once and empties the store', async () => {
    const notices: string[] = [];
    const { client, store, count, email } = await signedIn({ onSessionEnd: () => void notices.push('over') });
    const other = createClient({ baseUrl });
    await other.signIn({ username: email, password });
    await other.POST('/api/v1/auth/logout-all');
    const calls = Array.from({ length: 10 }, () => problemOf(client.GET('/api/v1/users/me')));
    expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set(['invalid_token']));
    expect([count(refresh), notices, await store.get()]).toEqual([1, ['over'], undefined]);
  });

  test('client: clients with the same store share a session and refresh once', async () => {
    const store: TokenStore = { ...memoryStore(), name: uniqueEmail() };
    const [one, other] = [await signedIn({ store }), await signedIn({ store })];
    expect(navigator.locks).toBeDefined();
    letTokenExpire();
    await Promise.all([one, other].flatMap(({ client }) => [1, 2, 3].map(() => client.GET('/api/v1/users/me'))));
    expect(one.count(refresh) + other.count(refresh)).toBe(1);
  });

  test('client: a call is not repeated as another user who signed in meanwhile', async () => {
    const store: TokenStore = { ...memoryStore(), name: uniqueEmail() };
    const [first, second] = [await api.register(), await api.register()];
    const bodies: string[] = [];
    const fetch = async (request: Request) => {
      if (request.url.endsWith('/tasks') && bodies.push(await request.clone().text()) === 1) {
        await createClient({ baseUrl, store }).signIn({ email: second.email, password });
      }
      return globalThis.fetch(request);
    };
    const client = createClient({ baseUrl, store, fetch });
    await client.signIn({ email: first.email, password });
    letTokenExpire();
    const call = client.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'Of the first' } });
    expect((await problemOf(call)).code).toBe('expired_token');
    expect(bodies).toHaveLength(1);
    expect(await client.GET('/api/v1/users/me')).toMatchObject({ email: second.email });
    expect(await client.GET('/api/v1/users/{user_id}/tasks', me)).toMatchObject({ items: [] });
  });

  test('client: signing out during a refresh stays signed out', async () => {
    const { client, store } = await signedIn();
    await makeStale(store);
    const call = client.GET('/api/v1/users/me').catch((error) => error);
    await client.signOut();
    expect(await store.get()).toBeUndefined();
    await call;
    expect(await store.get()).toBeUndefined();
  });

  test('client: signing out works with an expired token and fails if the server is unreachable', async () => {
    const { client, store, email } = await signedIn();
    letTokenExpire();
    await client.signOut();
    const again = createClient({ baseUrl });
    await again.signIn({ email, password });
    expect((await again.GET('/api/v1/auth/sessions')).items).toHaveLength(1);
    expect(await store.get()).toBeUndefined();

    const offline = await signedIn({
      fetch: (request) => (request.url.endsWith('/logout') ? Promise.reject(new TypeError('offline')) : fetch(request)),
    });
    await expect(offline.client.signOut()).rejects.toThrow('offline');
    expect(await offline.client.isSignedIn()).toBe(true);
  });

  test('client: a wrong password starts no session and keeps the current one', async () => {
    const { client, count, email } = await signedIn();
    const problem = await problemOf(client.signIn({ email, password: 'not the password' }));
    expect([problem.status, problem.code]).toEqual([401, 'invalid_credentials']);
    expect(await client.GET('/api/v1/users/me')).toMatchObject({ email });
    const own = { headers: { authorization: 'Bearer nonsense' } };
    expect((await problemOf(client.GET('/api/v1/users/me', own))).code).toBe('invalid_token');
    expect(count(refresh)).toBe(0);
  });
});

describe('a problem', () => {
  test('client: errors are ProblemError with code and detail', async () => {
    const { client } = await signedIn();
    const body = { title: ' ' };
    const problem = await problemOf(client.POST('/api/v1/users/{user_id}/tasks', { ...me, body }));
    expect(problem).toMatchObject({
      name: 'ProblemError',
      status: 422,
      code: 'validation_failed',
      title: expect.any(String),
      message: expect.stringContaining('title'),
      errors: [{ in: 'body', pointer: '/title', message: expect.any(String) }],
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const strangers = { path: { user_id: '01999999-9999-7999-9999-999999999999' } };
    expect(await problemOf(client.GET('/api/v1/users/{user_id}/tasks', { params: strangers }))).toMatchObject({
      status: 403,
      code: 'forbidden',
      errors: [],
      retryAfterSeconds: undefined,
    });
  });
});

describe('a server in trouble', () => {
  type Answer = { status: number; code?: string; headers?: Record<string, string>; text?: string };
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  /** Starts a server that gives these responses in turn, then repeats the last one. Records the requests and their bodies. */
  async function answering(first: Answer, ...others: Answer[]) {
    let next = first;
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      asked.push(`${request.method} ${await bodyOf(request)}`.trim());
      const { status, code, headers, text } = next;
      next = others.shift() ?? next;
      const body =
        code === undefined ? text : JSON.stringify({ code, detail: 'In trouble.', title: 'Trouble', status });
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body ?? '{}');
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { client: createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }), asked };
  }

  const bodyOf = async (request: IncomingMessage) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    return body;
  };
  const soon = { 'retry-after': '0' };
  const ok: Answer = { status: 200 };
  const unavailable: Answer = { status: 503, code: 'database_unavailable', headers: soon };

  test('client: calls are retried after 429 and 503 with the same body', async () => {
    const read = await answering(unavailable, { status: 429, code: 'rate_limited', headers: soon }, ok);
    await read.client.GET('/api/v1/users/me');
    expect(read.asked).toEqual(['GET', 'GET', 'GET']);

    const limited = await answering({ status: 429, code: 'rate_limited', headers: soon }, ok);
    await limited.client.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'x' } });
    expect(limited.asked).toEqual(['POST {"title":"x"}', 'POST {"title":"x"}']);

    const down = await answering(unavailable);
    expect((await problemOf(down.client.GET('/api/v1/users/me'))).retryAfterSeconds).toBe(0);
    expect(down.asked).toHaveLength(3);
  });

  test('client: a change is retried with its Idempotency-Key, also if its response is lost', async () => {
    const keys: (string | null)[] = [];
    let isLost = true;
    const { client } = await signedIn({
      fetch: async (request) => {
        const response = await fetch(request);
        if (!new URL(request.url).pathname.endsWith('/tasks')) return response;
        if (request.method === 'POST') keys.push(request.headers.get('idempotency-key'));
        if (request.method !== 'POST' || !isLost) return response;
        isLost = false;
        throw new TypeError('fetch failed');
      },
    });
    const task = await client.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'Once' } });
    const { items } = await client.GET('/api/v1/users/{user_id}/tasks', me);
    expect(items).toEqual([task]);
    expect(keys).toEqual([expect.any(String), keys[0]]);
  });

  test('client: a change without an Idempotency-Key is retried only if the server did not start it', async () => {
    const begun = await answering(unavailable, ok);
    const write = { body: { token: 'x' } };
    expect((await problemOf(begun.client.POST('/api/v1/auth/email/verify', write))).code).toBe('database_unavailable');
    expect(begun.asked).toHaveLength(1);
    for (const code of ['overloaded', 'shutting_down']) {
      const busy = await answering({ status: 503, code, headers: soon }, ok);
      await busy.client.POST('/api/v1/auth/email/verify', write);
      expect(busy.asked).toHaveLength(2);
    }
  });

  test('client: Retry-After is respected up to a limit', async () => {
    const begin = performance.now();
    const { client } = await answering({ ...unavailable, headers: { 'retry-after': '1' } }, ok);
    await client.GET('/api/v1/users/me');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(1000);

    const date = new Date(Date.now() + 3_600_000).toUTCString();
    for (const header of ['3600', date]) {
      const later = await answering({ status: 429, code: 'rate_limited', headers: { 'retry-after': header } });
      const problem = await problemOf(later.client.GET('/api/v1/users/me'));
      expect(problem.retryAfterSeconds).toBeGreaterThan(3500);
      expect(later.asked).toHaveLength(1);
    }
  });

  test('client: responses that are not problem documents become errors', async () => {
    for (const text of ['<h1>Bad gateway</h1>', '{"half":', 'null', '']) {
      const { client } = await answering({ status: 502, text, headers: { 'x-request-id': 'abc' } });
      const problem = await problemOf(client.GET('/api/v1/users/me'));
      expect(problem).toMatchObject({ status: 502, code: 'not_a_problem', requestId: 'abc' });
      expect(problem.message).toBe('the server answered 502 Bad Gateway');
    }
  });

  test('client: an aborted call ends at once, also while it waits for a retry', async () => {
    const reason = new Error('given up');
    const { client, asked } = await answering({ ...unavailable, headers: { 'retry-after': '20' } });
    const waiting = new AbortController();
    const call = client.GET('/api/v1/users/me', { signal: waiting.signal });
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    setTimeout(() => waiting.abort(reason), 50);
    await expect(call).rejects.toBe(reason);
    await expect(client.GET('/api/v1/users/me', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(asked).toHaveLength(1);
  });

  test('client: an aborted sign-in ends at once', async () => {
    const reason = new Error('given up');
    const { client, asked } = await answering({ status: 429, code: 'rate_limited', headers: { 'retry-after': '20' } });
    const giveUp = new AbortController();
    const signIn = client.signIn({ username: 'ada', password }, { signal: giveUp.signal });
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    giveUp.abort(reason);
    await expect(signIn).rejects.toBe(reason);
    expect([asked.length, await client.isSignedIn()]).toEqual([1, false]);
  });

  test('client: aborting a call during a refresh does not end the refresh for others', async () => {
    const { client, store, count } = await signedIn();
    await makeStale(store);
    const giveUp = new AbortController();
    const given = client.GET('/api/v1/users/me', { signal: giveUp.signal });
    const others = [client.GET('/api/v1/users/me'), client.GET('/api/v1/users/me')];
    queueMicrotask(() => giveUp.abort());
    await expect(given).rejects.toThrow('aborted');
    expect(await Promise.all(others)).toHaveLength(2);
    expect(count(refresh)).toBe(1);
  });
});

describe('other credentials', () => {
  /** Signs in at the provider. Resolves to the page to which the browser returns. */
  const atProvider = async (url: string, account: string) =>
    (await returnTo(api, await browse(url, account))).page.href;

  test('client: a person signs in with a provider, and links another account there', async () => {
    const [first, second] = [uniqueEmail(), uniqueEmail()];
    acme.accounts[first] = { email: first };
    acme.accounts[second] = { email: second };
    let kept: string | null = null;
    const attempts = {
      get: () => kept,
      set: (attempt: string | null) => {
        kept = attempt;
      },
    };
    const client = createClient({ baseUrl, attempts });
    expect(await client.providers.finish('https://app.example.com/')).toBeUndefined();
    const page = await atProvider(await client.providers.begin('acme', { returnTo: '/welcome' }), first);
    const stranger = createClient({ baseUrl });
    expect(await stranger.providers.finish(page)).toBeUndefined();
    expect(kept).toContain('codeVerifier');
    expect(await client.providers.finish(page)).toBe('signed in');
    expect(kept).toBeNull();
    expect((await client.GET('/api/v1/users/me')).email).toBe(first);
    const linked = await atProvider(await client.providers.beginLink('acme'), second);
    expect(await client.providers.finish(linked)).toBe('linked');
    expect((await client.GET('/api/v1/users/me/identities')).items).toHaveLength(2);
    const denied = await atProvider(await client.providers.begin('acme'), 'denies');
    await expect(client.providers.finish(denied)).rejects.toMatchObject({ code: 'access_denied' });
    await client.providers.begin('acme');
    const odd = client.providers.finish('https://app.example.com/?error=something');
    await expect(odd).rejects.toMatchObject({ name: 'ProviderError', code: 'sign_in_failed' });
    expect(await client.providers.finish('https://app.example.com/?error=something')).toBeUndefined();
  });

  test('client: a program uses an API key instead of a session', async () => {
    const { client } = await signedIn();
    const body = { name: 'Import', scopes: ['tasks:write' as const] };
    const { key } = await client.POST('/api/v1/users/{user_id}/api-keys', { ...me, body });
    const program = createClient({ baseUrl, apiKey: key });
    const task = await program.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'Import' } });
    expect(task.title).toBe('Import');
    const refused = await problemOf(program.GET('/api/v1/users/{user_id}/tasks', me));
    expect(refused.code).toBe('insufficient_scope');
    await expect(program.signIn({ email: 'a@example.com', password })).rejects.toThrow('an API key has no session');
  });

  test('client: without `crypto` and `AbortSignal.timeout`, as in React Native, a session works, and providers say what they need', async () => {
    const { email } = await api.register();
    const fetch = globalThis.fetch;
    vi.stubGlobal('crypto', undefined);
    vi.stubGlobal('AbortSignal', { prototype: AbortSignal.prototype });
    try {
      const client = createClient({ baseUrl, fetch: (request) => fetch(request) });
      await client.signIn({ email, password });
      letTokenExpire();
      const task = await client.POST('/api/v1/users/{user_id}/tasks', { ...me, body: { title: 'On a phone' } });
      expect(task.title).toBe('On a phone');
      await expect(client.providers.begin('acme')).rejects.toThrow('react-native-quick-crypto');
      await client.signOut();
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
