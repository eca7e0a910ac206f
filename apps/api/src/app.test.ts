import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAnswerCheck } from '../testing/answer-check.ts';
import {
  expectProblem,
  password,
  startTestApp,
  type TestApp,
  testEnvironment,
  uniqueEmail,
} from '../testing/test-app.ts';
import { buildApp } from './app.ts';
import { parseConfig } from './config/config.ts';
import { foundationProblems } from './http/errors.ts';
import { registeredTags } from './product/tags.ts';

// Promises of every route.

let api: TestApp;
let log: string[];
let user: Awaited<ReturnType<TestApp['signUp']>>;
beforeAll(async () => {
  log = [];
  api = await startTestApp({}, { log });
  user = await api.signUp();
});
afterAll(() => api.close());

const json = { 'content-type': 'application/json' };

describe('every route', () => {
  const concrete = (url: string) =>
    `/${url.replace(/:\w+/g, '01999999-9999-7999-9999-999999999999').replace('*', 'x')}`;

  test('every route is private except the listed public ones', () => {
    const ofProduct = registeredTags.map(({ name }) => name);
    const open = api.app.routes
      .filter(({ config, schema }) => config?.public && !schema?.tags?.some((tag) => ofProduct.includes(tag)))
      .map(({ url }) => url.replace(/^\/docs\/.*/, '/docs/…'));
    expect([...new Set(open)].sort()).toEqual([
      '/',
      '/.well-known/jwks.json',
      '/.well-known/oauth-authorization-server',
      '/.well-known/webauthn',
      '/api/v1/auth/api-keys/revoke',
      '/api/v1/auth/email-code',
      '/api/v1/auth/email-code/confirm',
      '/api/v1/auth/email/verify',
      '/api/v1/auth/exchange',
      '/api/v1/auth/login',
      '/api/v1/auth/methods',
      '/api/v1/auth/mfa',
      '/api/v1/auth/passkey',
      '/api/v1/auth/passkey/options',
      '/api/v1/auth/password/forgot',
      '/api/v1/auth/password/reset',
      '/api/v1/auth/providers/:provider_id/callback',
      '/api/v1/auth/providers/:provider_id/start',
      '/api/v1/auth/refresh',
      '/api/v1/auth/register',
      '/api/v1/health',
      '/api/v1/health/db',
      '/api/v1/health/ready',
      '/api/v1/oauth/token',
      '/docs',
      '/docs/…',
      '/health',
      '/health/db',
      '/health/ready',
      '/openapi.json',
    ]);
  });

  test('private routes answer 401 without a token before they validate the request', async () => {
    const closed = api.app.routes.filter(({ config }) => !config?.public);
    expect(closed.length).toBeGreaterThan(20);
    for (const { url, method } of closed) {
      for (const one of [method].flat()) {
        const response = await api.send(one, concrete(url), { headers: json, body: '{"malformed' });
        if (one === 'HEAD') expect(response.statusCode).toBe(401);
        else expectProblem(response, 401, 'missing_token');
      }
    }
  });

  test('admin routes answer 403 to non-admins before they validate the request', async () => {
    const admins = api.app.routes.filter(({ config }) => config?.admin);
    expect(admins.length).toBeGreaterThan(5);
    for (const { url, method } of admins) {
      for (const one of [method].flat().filter((name) => name !== 'HEAD')) {
        const response = await api.send(one, concrete(url), { token: user.token, headers: json, body: '{"malformed' });
        expectProblem(response, 403, 'forbidden');
      }
    }
  });
});

describe('unknown paths and methods', () => {
  test('an unknown path answers 404 for any method and body', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const path of ['//nothing', '/users/me/nothing', '/nothing/../../x', '//api/v2/users', '//API/V1/health']) {
        for (const type of ['text/plain', 'application/json', 'nonsense']) {
          const response = await api.send(method, path, { headers: { 'content-type': type }, body: '{"half' });
          expectProblem(response, 404, 'not_found');
        }
      }
    }
    expect((await api.send('HEAD', '/nothing')).statusCode).toBe(404);
  });

  test('an unknown method on a known path answers 405 with Allow', async () => {
    const paths = [...new Set(api.app.routes.map(({ url }) => url))].filter((url) => !/^\/docs|\*/.test(url));
    for (const path of paths) {
      const known = api.app.routes.filter(({ url }) => url === path).flatMap(({ method }) => method);
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'].filter(
        (one) => !known.includes(one),
      )) {
        const response = await api.send(method, `/${path.replaceAll(':', '')}`, {
          headers: { 'content-type': 'text/plain' },
          body: 'x',
        });
        expectProblem(response, 405, 'method_not_allowed');
        expect(String(response.headers.allow).split(', ').sort()).toEqual([...known].sort());
      }
    }
  });

  test('a path that cannot be decoded answers 400', async () => {
    expectProblem(await api.send('GET', '/users/%zz', { token: user.token }), 400, 'malformed_request');
    expectProblem(await api.send('GET', '/users/%c3%28', { token: user.token }), 400, 'malformed_request');
  });
});

describe('every response', () => {
  test('every response has the client’s X-Request-Id if it is valid, otherwise a new one', async () => {
    for (const id of ['abc', 'A-Z.a_z-0', 'x'.repeat(128)]) {
      expect((await api.send('GET', '/health', { headers: { 'x-request-id': id } })).headers['x-request-id']).toBe(id);
    }
    for (const id of ['', ' ', 'x'.repeat(129), 'a b', 'a\tb', 'é', '"; drop']) {
      const given = (await api.send('GET', '/health', { headers: { 'x-request-id': id } })).headers['x-request-id'];
      expect(given).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect((await api.send('GET', '/nothing', { headers: { 'x-request-id': 'mine' } })).json().request_id).toBe('mine');
  });

  test('every response has security headers and is not readable by other origins', async () => {
    for (const path of ['/health', '/users/me', '/nothing']) {
      const { headers } = await api.send('GET', path, { headers: { origin: 'https://elsewhere.example' } });
      expect(headers).toMatchObject({
        'content-security-policy': expect.any(String),
        'strict-transport-security': expect.any(String),
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'referrer-policy': 'no-referrer',
      });
      expect(headers['access-control-allow-origin']).toBeUndefined();
      expect(headers['x-powered-by']).toBeUndefined();
    }
  });

  test('responses of private routes and health checks have Cache-Control: no-store, whatever the spelling of the path', async () => {
    const paths = [
      '//api/v1/%75sers/me',
      '//api/v1/users/m%65',
      '//health',
      '//health/ready',
      '/health/db',
      '/audit-events',
    ];
    for (const path of paths)
      expect((await api.send('GET', path, { token: user.token })).headers['cache-control'], path).toBe('no-store');
    const open = ['//', '//openapi.json', '//.well-known/jwks.json'];
    for (const path of open) expect((await api.send('GET', path)).headers['cache-control'], path).not.toBe('no-store');
  });

  test('responses under /auth and /users have Cache-Control: no-store', async () => {
    const paths = ['/auth/me', '/users/me', '/users', '/users/me/tasks', '/users/me/preferences', '/users?limit=x'];
    for (const path of paths) {
      for (const token of [user.token, undefined]) {
        expect((await api.send('GET', path, { token })).headers['cache-control']).toBe('no-store');
      }
    }
  });

  test('an unreadable X-Forwarded-For leaves a warning in the log', async () => {
    const lines: string[] = [];
    const own = await startTestApp({ TRUST_PROXY: '1' }, { log: lines });
    try {
      const login = { body: { email: uniqueEmail(), password } };
      await own.send('POST', '/auth/login', { ...login, headers: { 'x-forwarded-for': 'unknown' } });
      expect(lines.join()).toContain('X-Forwarded-For contains no valid client address');
    } finally {
      await own.close();
    }
  });

  test('each request leaves one log line with request id, route, status and user', async () => {
    log.length = 0;
    await api.send('GET', '/users/me', { token: user.token, headers: { 'x-request-id': 'to-be-found' } });
    const lines = log.map((line) => JSON.parse(line)).filter((line) => line.request_id === 'to-be-found');
    expect(lines).toMatchObject([
      { msg: 'request', method: 'GET', route: '/api/v1/users/me', status: 200, user_id: user.id },
    ]);
  });

  test('a 500 response contains only the request id; the log has the cause', async () => {
    log.length = 0;
    const database = await createTestDatabase();
    const destination = { level: 'info', stream: { write: (line: string) => void log.push(line) } };
    const app = await buildApp(parseConfig(testEnvironment()), database, { log: destination });
    app.get('/failing', { config: { public: true } }, async () => {
      throw new Error('select secret_column from secret_table');
    });
    try {
      const response = await app.inject({ url: '/failing' });
      const { request_id } = expectProblem(response, 500, 'internal_error') as unknown as { request_id: string };
      expect(response.body).not.toMatch(/secret|stack|select|\.ts/);
      expect(log.join()).toContain('secret_table');
      expect(log.join()).toContain(request_id);
    } finally {
      await app.close();
      await database.close();
    }
  });
});

test('the log contains no password, hash, token or secret', async () => {
  log.length = 0;
  const secret = 'a password to look for';
  const account = await api.register({ password: secret });
  const tokens = await api.login(account.email, secret);
  await api.send('POST', '/auth/login', { body: { email: account.email, password: 'another to look for' } });
  await api.send('POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } });
  await api.send('POST', '/auth/refresh', { body: { refresh_token: `${tokens.refresh_token.slice(0, -1)}!` } });
  await api.send('GET', '/users/me', { token: tokens.access_token });
  await api.send('GET', `/users/me?token=${tokens.access_token}`, { token: `${tokens.access_token}x` });
  await api.send('PATCH', '/users/me', {
    token: tokens.access_token,
    body: { password: 'yet another to look for', current_password: secret },
  });
  const verification = await api.tokenFor('verify-email', account.email);
  await api.send('POST', '/auth/email/verify', { body: { token: verification }, token: tokens.access_token });
  await api.send('POST', '/auth/password/forgot', { body: { email: account.email } });
  const recovery = await api.tokenFor('reset-password', account.email);
  await api.send('GET', `/auth/password/reset?token=${recovery}`);
  for (const new_password of ['short', 'and one more to look for', 'again to look for'])
    await api.send('POST', '/auth/password/reset', { body: { token: recovery, new_password } });
  api.clock.advance(60);
  await api.send('POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } });
  const text = log.join();
  expect(log.length).toBeGreaterThanOrEqual(15);
  for (const hidden of [
    'to look for',
    tokens.access_token,
    tokens.refresh_token.slice(0, 60),
    verification,
    recovery,
    '$argon2id$',
    api.config.secretKey,
  ]) {
    expect(text).not.toContain(hidden);
  }
});

describe('CORS_ORIGINS', () => {
  test('CORS_ORIGINS: only pages of these origins can read responses', async () => {
    const own = await startTestApp({ CORS_ORIGINS: 'https://app.example.com,http://localhost:5173' });
    try {
      const ask = (origin: string) =>
        own.app.inject({
          method: 'OPTIONS',
          url: '/api/v1/users/me',
          headers: { origin, 'access-control-request-method': 'PATCH' },
        });
      const allowed = await ask('https://app.example.com');
      expect(allowed.statusCode).toBe(204);
      expect(allowed.headers['access-control-allow-origin']).toBe('https://app.example.com');
      expect(allowed.headers['access-control-allow-methods']).toContain('PATCH');
      for (const origin of ['https://evil.example', 'https://app.example.com.evil.example', 'null']) {
        expect((await ask(origin)).headers['access-control-allow-origin']).not.toBe(origin);
      }
    } finally {
      await own.close();
    }
  });
});

test('CORS_ORIGINS: unknown paths still answer 404, and unknown methods 405', async () => {
  const own = await startTestApp({ CORS_ORIGINS: 'https://app.example.com' });
  try {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      for (const path of ['//nothing', '/nothing', '//api'])
        expectProblem(
          await own.send(method, path, { headers: { origin: 'https://app.example.com' } }),
          404,
          'not_found',
        );
    expectProblem(await own.send('PUT', '//health'), 405, 'method_not_allowed');
  } finally {
    await own.close();
  }
});

describe('routes of a product', () => {
  /** Starts the application with routes that a product could add. */
  const withRoutes = async () => {
    const database = await createTestDatabase();
    const app = await buildApp(parseConfig(testEnvironment()), database, {});
    const schema = { operationId: 'bare', tags: ['product'], summary: 'Without a response schema' };
    app.get('/bare', { schema, config: { public: true } }, async () => ({ anything: 1 }));
    const bytes = { operationId: 'bytes', tags: ['product'], summary: 'Bytes', consumes: ['image/png'] };
    app.addContentTypeParser('image/png', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body);
    app.post(
      '/bytes',
      {
        schema: {
          ...bytes,
          body: {},
          response: { 200: { content: { 'image/png': { schema: { type: 'string', format: 'binary' } } } } },
        } as never,
        config: { public: true },
      },
      async ({ body }, reply) => reply.type('image/png').send(body),
    );
    const csv = { operationId: 'csv', tags: ['product'], summary: 'CSV', produces: ['text/csv'] };
    const table = { type: 'string', examples: ['a,b'] };
    app.get(
      '/csv',
      { schema: { ...csv, response: { 200: table } } as never, config: { public: true } },
      async (_, reply) => reply.type('text/csv').serializer(String).send('a,b'),
    );
    app.get('/stream', { schema: { hide: true }, config: { public: true } }, async (_request, reply) => {
      reply.type('text/event-stream');
      const stream = new PassThrough();
      stream.write(': open\n\n');
      return reply.send(stream);
    });
    return { app, database };
  };

  test('a product’s route may have no response schema, send bytes, and declare its content types', async () => {
    const { app, database } = await withRoutes();
    try {
      await app.ready();
      const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, never>> };
      expect(paths['/bare']?.get).toMatchObject({ responses: { 200: { content: { '*/*': {} } } } });
      expect(paths['/bytes']?.post).toMatchObject({
        requestBody: { content: { 'image/png': {} } },
        responses: { 200: { content: { 'image/png': { schema: { format: 'binary' } } } } },
      });
      expect(paths['/csv']?.get).toMatchObject({ responses: { 200: { content: { 'text/csv': {} } } } });
      const check = createAnswerCheck(app.swagger() as never);
      check('GET', '/csv', await app.inject({ url: '/csv' }));
      const png = Buffer.from([0x89, 0x50, 0, 0xff]);
      const echo = await app.inject({
        method: 'POST',
        url: '/bytes',
        payload: png,
        headers: { 'content-type': 'image/png' },
      });
      expect(echo.rawPayload).toEqual(png);
      check('POST', '/bytes', echo);
      check('GET', '/bare', await app.inject({ url: '/bare' }));
      const wrong = await app.inject({
        method: 'POST',
        url: '/bytes',
        payload: 'x',
        headers: { 'content-type': 'text/plain' },
      });
      expect(expectProblem(wrong, 415, 'unsupported_media_type').detail).toBe('Send image/png.');
    } finally {
      await app.close();
      await database.close();
    }
  });

  test('a response schema without an example fails at start and names the route', async () => {
    const { app, database } = await withRoutes();
    const schema = { operationId: 'odd', tags: ['product'], summary: 'x', response: { 200: { type: 'string' } } };
    app.get('/odd', { schema, config: { public: true } }, async () => 'x');
    await expect(app.ready().then(() => app.swagger())).rejects.toThrow('the response schema of GET /odd');
    await app.close();
    await database.close();
  });

  test('an open event stream ends when the server stops', async () => {
    const { app, database } = await withRoutes();
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const response = await fetch(`${url}/stream`);
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(': open\n\n');
    await app.close();
    await expect(reader?.read()).rejects.toThrow();
    await database.close();
  });
});

test('a client that sends 10 MiB too much receives 413 every time', async () => {
  const own = await startTestApp();
  const url = await own.app.listen({ port: 0, host: '127.0.0.1' });
  try {
    const body = 'x'.repeat(10 * 1024 * 1024);
    const send = async () => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/api/v1/auth/login`, { method: 'POST', body, headers });
      return [response.status, (await response.json()).code];
    };
    for (let n = 0; n < 10; n++) expect(await send()).toEqual([413, 'payload_too_large']);
  } finally {
    await own.close();
  }
});

test('DOCS=false, the default in production, disables /docs and /openapi.json', async () => {
  const own = await startTestApp({ DOCS: 'false' });
  try {
    for (const path of ['//docs', '//docs/static/index.html', '//openapi.json'])
      expectProblem(await own.send('GET', path), 404, 'not_found');
    expect((await own.send('GET', '//')).body).not.toContain('href="/docs"');
    expect(parseConfig({ NODE_ENV: 'production', SECRET_KEY: own.config.secretKey }).hasDocs).toBe(false);
  } finally {
    await own.close();
  }
});

describe('under pressure', () => {
  test('too many concurrent sign-ins get 503, and other routes still answer', async () => {
    const logins = Array.from({ length: 300 }, () =>
      api.send('POST', '/auth/login', { body: { email: uniqueEmail(), password } }),
    );
    const meanwhile = await api.send('GET', '/users/me', { token: user.token });
    const responses = await Promise.all(logins);
    expect(meanwhile.statusCode).toBe(200);
    const refused = responses.filter(({ statusCode }) => statusCode === 503);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) expectProblem(response, 503, 'overloaded');
    expect(responses.filter(({ statusCode }) => statusCode === 401).length).toBe(300 - refused.length);
  });
});

test('without a database, requests get 503 and /health answers 200', async () => {
  const own = await startTestApp();
  const { token } = await own.signUp();
  await own.database.close();
  try {
    expect((await own.send('GET', '/health')).json()).toEqual({ status: 'ok' });
    for (const path of ['/health/db', '/health/ready', '/users/me']) {
      expectProblem(await own.send('GET', path, { token }), 503, 'database_unavailable');
    }
    expectProblem(
      await own.send('POST', '/auth/login', { body: { email: 'a@example.com', password } }),
      503,
      'database_unavailable',
    );
  } finally {
    await own.app.close();
  }
});

test.runIf(testServerUrl)('an overloaded process answers 503 at once, and /health answers 200', async () => {
  const own = await startTestApp();
  try {
    const { token } = await own.signUp();
    expect((await own.send('GET', '/users/me', { token })).statusCode).toBe(200);
    const codes = new Set<string>();
    for (let turn = 0; turn < 5 && !codes.has('overloaded'); turn++) {
      const end = performance.now() + 2_500;
      while (performance.now() < end) Math.sqrt(end); // blocks the event loop
      codes.add((await own.send('GET', '/users/me', { token })).json().code);
    }
    expect([...codes]).toContain('overloaded');
    const refused = await own.send('GET', '/users/me', { token });
    expect(refused).toMatchObject({ statusCode: 503, headers: { 'retry-after': expect.any(String) } });
    expect((await own.send('GET', '//health')).statusCode).toBe(200);
    await expect.poll(async () => (await own.send('GET', '/users/me', { token })).statusCode).toBe(200);
  } finally {
    await own.close();
  }
});

test('a draining app is not ready, closes connections with their next response, and is alive', async () => {
  const own = await startTestApp();
  try {
    const { token } = await own.signUp();
    const begun = own.send('POST', '/auth/login', { body: { email: uniqueEmail(), password } });
    await new Promise(setImmediate);
    own.app.drain();
    const last = await own.send('GET', '/users/me', { token });
    expect(last).toMatchObject({ statusCode: 200, headers: { connection: 'close' } });
    expectProblem(await own.send('GET', '//health/ready'), 503, 'shutting_down');
    expect((await own.send('GET', '//health')).statusCode).toBe(200);
    expect((await begun).statusCode).toBe(401);
  } finally {
    await own.close();
  }
});

test('a logged request has no Authorization and Cookie headers', () => {
  api.app.log.info({ headers: { authorization: 'Bearer let-me-in', cookie: 'let-me-in', accept: 'text/x-kept' } });
  expect(log.join()).toContain('text/x-kept');
  expect(log.join()).not.toContain('let-me-in');
});

test('docs/errors.md matches the table of errors', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const lines = Object.entries(foundationProblems).map(
    ([code, { status, title }]) => `| ${status} | \`${code}\` | ${title} |`,
  );
  expect(page.split('\n').filter((line) => /^\| \d/.test(line))).toEqual(lines);
});
