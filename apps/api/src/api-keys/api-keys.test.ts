import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addTotp, emailCode } from '../../testing/sign-in-steps.ts';
import { expectProblem, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';
import { apiKeyPrefix, formatApiKey, newApiKeySecret, parseApiKey } from '../auth/api-key.ts';
import { apiScopes } from '../auth/scopes.ts';
import type { CreatedApiKey } from './schemas.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

async function createKey(token: string, body: Record<string, unknown> = {}, owner = 'me') {
  const created = await api.send('POST', `/users/${owner}/api-keys`, {
    token,
    body: { name: 'Import', scopes: ['tasks:read', 'tasks:write'], ...body },
  });
  expect([created.statusCode, created.json().code]).toEqual([201, undefined]);
  return created.json() as CreatedApiKey;
}

const subjectsTo = async (email: string) => (await api.mailsTo(email)).map(({ subject }) => subject);
const actionsOf = async (token: string) =>
  (await api.send('GET', '/users/me/audit-events', { token })).json().items as { action: string; details: object }[];

describe('an API key', () => {
  test('an API key has a prefix, ids, a secret and a checksum, and one spelling', () => {
    const [userId, id] = ['0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4', '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d5'];
    const secret = newApiKeySecret();
    expect(secret).toHaveLength(32);
    const key = formatApiKey({ userId, id, secret });
    expect(key).toMatch(/^quoin_k1_[\w-]{92}$/);
    expect(parseApiKey(key)).toEqual({ userId, apiKeyId: id, secretHash: hash('sha256', secret, 'buffer') });
    const rest = key.slice(apiKeyPrefix.length);
    const others = [...rest].map((character, index) => {
      const other = character === 'A' ? 'B' : 'A';
      return `${apiKeyPrefix}${rest.slice(0, index)}${other}${rest.slice(index + 1)}`;
    });
    for (const other of [...others, `${key}A`, key.slice(0, -1), key.toLowerCase(), `${key}=`])
      expect(parseApiKey(other)).toBeUndefined();
  });

  test('an API key acts for its owner, within its scopes', async () => {
    const user = await api.signUp();
    const { key, ...rest } = await createKey(user.token, { scopes: ['tasks:write', 'profile:read'] });
    expect(rest).toMatchObject({ name: 'Import', scopes: ['tasks:write', 'profile:read'], last_used_at: null });
    const days = (Date.parse(String(rest.expires_at)) - Date.parse(String(rest.created_at))) / 86_400_000;
    expect(days).toBe(90);
    expect((await api.send('GET', '/users/me', { token: key })).json().id).toBe(user.id);
    const task = await api.send('POST', '/users/me/tasks', { token: key, body: { title: 'From a program' } });
    expect(task.statusCode).toBe(201);
    expect(task.json().user_id).toBe(user.id);
    const refused = await api.send('GET', '/users/me/tasks', { token: key });
    expect(expectProblem(refused, 403, 'insufficient_scope').detail).toContain('tasks:read');
    expect(refused.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="tasks:read"');
    const stranger = await api.signUp();
    const foreign = await api.send('POST', `/users/${stranger.id}/tasks`, { token: key, body: { title: 'x' } });
    expectProblem(foreign, 403, 'forbidden');
  });

  test('an API key is stored as a hash only', async () => {
    const user = await api.signUp();
    const { key } = await createKey(user.token);
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ row: string }>('select k::text as row from api_keys k where user_id = $1', [user.id]),
    );
    const secret = Buffer.from(key.slice(apiKeyPrefix.length), 'base64url').subarray(32, 64);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(secret.toString('hex'));
    expect(rows[0]?.row).toContain(hash('sha256', secret, 'hex'));
  });

  test.each([
    ['a text of another form', () => 'quoin_k1_x'],
    ['a key with a wrong checksum', (key: string) => `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`],
    [
      'the right ids with another secret',
      (key: string) => {
        const { userId = '', apiKeyId: id = '' } = parseApiKey(key) ?? {};
        return formatApiKey({ userId, id, secret: newApiKeySecret() });
      },
    ],
    [
      'the secret with the id of another user',
      (key: string, stranger: string) => {
        const { apiKeyId: id = '' } = parseApiKey(key) ?? {};
        const secret = Buffer.from(key.slice(apiKeyPrefix.length), 'base64url').subarray(32, 64);
        return formatApiKey({ userId: stranger, id, secret });
      },
    ],
  ])('%s is refused with 401', async (_, change) => {
    const [user, stranger] = [await api.signUp(), await api.signUp()];
    const { key } = await createKey(user.token);
    const refused = await api.send('GET', '/users/me/tasks', { token: change(key, stranger.id) });
    expectProblem(refused, 401, 'invalid_token');
    expect((await api.send('GET', '/users/me/tasks', { token: key })).statusCode).toBe(200);
  });

  test('an API key stops working when it expires, is revoked, or its owner is deactivated or deleted', async () => {
    const user = await api.signUp();
    const [short, revoked, kept] = [
      await createKey(user.token, { expires_in_days: 1 }),
      await createKey(user.token),
      await createKey(user.token, { expires_in_days: 365 }),
    ];
    const tasks = (token: string) => api.send('GET', '/users/me/tasks', { token });
    expect((await api.send('DELETE', `/users/me/api-keys/${revoked.id}`, { token: user.token })).statusCode).toBe(204);
    expectProblem(await tasks(revoked.key), 401, 'invalid_token');
    api.clock.advance(86_400);
    expectProblem(await tasks(short.key), 401, 'invalid_token');
    expect((await tasks(kept.key)).statusCode).toBe(200);
    await api.database.system().users.update(user.id, { is_active: false });
    expectProblem(await tasks(kept.key), 401, 'invalid_token');
    await api.database.system().users.update(user.id, { is_active: true });
    expect((await tasks(kept.key)).statusCode).toBe(200);
    await api.database.system().deletedAccounts.mark(user.id, api.clock.now(), { versions: undefined });
    expectProblem(await tasks(kept.key), 401, 'invalid_token');
  });

  test('of 50 requests in flight while an API key is revoked, none that begins after the answer succeeds', async () => {
    const user = await api.signUp();
    const { key, id } = await createKey(user.token);
    const statuses = (total: number) =>
      Array.from({ length: total }, async () => (await api.send('GET', '/users/me/tasks', { token: key })).statusCode);
    const before = statuses(50);
    const revoked = await api.send('DELETE', `/users/me/api-keys/${id}`, { token: user.token });
    expect(revoked.statusCode).toBe(204);
    const after = statuses(50);
    expect(new Set(await Promise.all(after))).toEqual(new Set([401]));
    for (const status of await Promise.all(before)) expect([200, 401]).toContain(status);
  });

  test('an API key with the id of another user opens nothing, also in one batch with the real key', async () => {
    const [thief, victim] = [await api.signUp(), await api.signUp()];
    const { key } = await createKey(thief.token);
    const { key: victims } = await createKey(victim.token);
    const { apiKeyId: id = '' } = parseApiKey(key) ?? {};
    const secret = Buffer.from(key.slice(apiKeyPrefix.length), 'base64url').subarray(32, 64);
    const forged = formatApiKey({ userId: victim.id, id, secret });
    const tokens = [forged, key, forged, victims, victim.token, forged];
    const answers = await Promise.all(tokens.map((token) => api.send('GET', '/users/me/tasks', { token })));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 200, 401, 200, 200, 401]);
  });

  test('an API key of a person opens their rows only, also if they are an admin; that of a service account that is an admin opens all', async () => {
    const [user, admin] = [await api.signUp(), await api.signUpAdmin()];
    const { key } = await createKey(admin.token);
    const path = `/users/${user.id}/tasks`;
    expectProblem(await api.send('GET', path, { token: key }), 403, 'forbidden');
    expect((await api.send('GET', path, { token: admin.token })).statusCode).toBe(200);
    const account = { email: uniqueEmail(), kind: 'service', is_admin: true };
    const service = (await api.send('POST', '/users', { token: admin.token, body: account })).json();
    const { key: serviceKey } = await createKey(admin.token, {}, service.id);
    expect((await api.send('GET', path, { token: serviceKey })).statusCode).toBe(200);
    await api.database.system().users.update(service.id, { is_admin: false });
    expectProblem(await api.send('GET', path, { token: serviceKey }), 403, 'forbidden');
  });

  test('the last use of an API key is recorded, at most once a minute', async () => {
    const user = await api.signUp();
    const { key, id } = await createKey(user.token);
    const lastUse = async () =>
      (await api.send('GET', `/users/me/api-keys/${id}`, { token: user.token })).json().last_used_at as string | null;
    const used = api.clock.now().toISOString();
    for (let count = 0; count < 3; count += 1) await api.send('GET', '/users/me/tasks', { token: key });
    await expect.poll(lastUse).toBe(used);
    api.clock.advance(30);
    await api.send('GET', '/users/me/tasks', { token: key });
    api.clock.advance(30);
    const later = api.clock.now().toISOString();
    await api.send('GET', '/users/me/tasks', { token: key });
    await expect.poll(lastUse).toBe(later);
  });

  test('an API key is accepted on every private route with the scope that the route declares, and no other', async () => {
    const user = await api.signUp();
    const keys = new Map<string, string>();
    for (const scope of apiScopes) keys.set(scope, (await createKey(user.token, { scopes: [scope] })).key);
    const routes = api.app.routes.filter(
      ({ method, config, schema }) => config?.public !== true && !schema?.hide && method !== 'HEAD',
    );
    expect(routes.length).toBeGreaterThan(40);
    const unused = new Set<string>(apiScopes);
    for (const { method, url, config } of routes) {
      const path = url.replaceAll(/:\w+/g, user.id);
      for (const [scope, token] of keys) {
        const answer = await api.send(String(method), `/${path}`, { token });
        const isAllowed = config?.requiredScope === scope;
        const outcome = [
          `${method} ${url} with ${scope}`,
          answer.statusCode,
          answer.statusCode < 300 || answer.json().code,
        ];
        if (!isAllowed) expect(outcome).toEqual([outcome[0], 403, 'insufficient_scope']);
        else {
          unused.delete(scope);
          // The key of a person is no admin's.
          expect(String(outcome[2])).not.toMatch(config?.admin ? /scope|token/ : /scope|token|forbidden/);
        }
      }
    }
    expect([...unused]).toEqual([]);
    const paths = api.app.routes.filter(({ config }) => config?.requiredScope).map(({ url }) => url);
    expect(
      paths.filter((path) => /auth\/(?!me$)|api-keys|passkeys|totp|factors|identities|sessions/.test(path)),
    ).toEqual([]);
  });

  test('the OpenAPI document says which scope an operation takes', () => {
    const { paths } = api.app.swagger() as unknown as {
      paths: Record<string, Record<string, { security?: object[] }>>;
    };
    expect(paths['/api/v1/users/{user_id}/tasks']?.post?.security).toContainEqual({ apiKey: ['tasks:write'] });
    expect(JSON.stringify(paths['/api/v1/users/me/api-keys']?.post?.security ?? '')).not.toContain('apiKey');
  });
});

describe('managing API keys', () => {
  test('a key is created, listed, read and revoked, with events and a mail to the owner', async () => {
    const user = await api.signUp();
    const { key, ...created } = await createKey(user.token, { name: 'Nightly' });
    const list = await api.send('GET', '/users/me/api-keys', { token: user.token });
    expect(list.json().items).toEqual([created]);
    expect(list.body).not.toContain(key.slice(60));
    const one = await api.send('GET', `/users/me/api-keys/${created.id}`, { token: user.token });
    expect(one.json()).toEqual(created);
    await api.send('DELETE', `/users/me/api-keys/${created.id}`, { token: user.token });
    expectProblem(await api.send('GET', `/users/me/api-keys/${created.id}`, { token: user.token }), 404, 'not_found');
    expectProblem(
      await api.send('DELETE', `/users/me/api-keys/${created.id}`, { token: user.token }),
      404,
      'not_found',
    );
    expect(await subjectsTo(user.email)).toContain('An API key was created');
    const details = { api_key_id: created.id, name: 'Nightly', scopes: created.scopes };
    expect((await actionsOf(user.token)).slice(0, 2)).toMatchObject([
      { action: 'api_key_revoked', details },
      { action: 'api_key_created', details },
    ]);
  });

  test('a key needs a recent authentication, a name, known scopes and at most a year', async () => {
    const user = await api.signUp();
    const attempts: [Record<string, unknown>, string][] = [
      [{ scopes: [] }, '/scopes'],
      [{ scopes: ['tasks:admin'] }, '/scopes/0'],
      [{ scopes: ['tasks:read', 'tasks:read'] }, '/scopes'],
      [{ expires_in_days: 366 }, '/expires_in_days'],
      [{ expires_in_days: 0 }, '/expires_in_days'],
      [{ name: '' }, '/name'],
      [{ name: 'a\u0000b' }, '/name'],
      [{ user_id: user.id }, '/user_id'],
    ];
    for (const [wrong, pointer] of attempts) {
      const body = { name: 'Import', scopes: ['tasks:read'], ...wrong };
      const answer = await api.send('POST', '/users/me/api-keys', { token: user.token, body });
      expect(expectProblem(answer, 422, 'validation_failed').errors?.map((error) => error.pointer)).toEqual([pointer]);
    }
    api.clock.advance(601);
    const body = { name: 'Import', scopes: ['tasks:read'] };
    expectProblem(await api.send('POST', '/users/me/api-keys', { token: user.token, body }), 401, 'step_up_required');
  });

  test('an account has at most 50 keys, also with concurrent requests', async () => {
    const user = await api.signUp();
    for (let count = 0; count < 48; count += 1) await createKey(user.token);
    const body = { name: 'One more', scopes: ['tasks:read'] };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => api.send('POST', '/users/me/api-keys', { token: user.token, body })),
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 201, 422, 422, 422, 422]);
  });

  test('the keys of others are hidden and out of reach, except for admins', async () => {
    const [user, stranger, admin] = [await api.signUp(), await api.signUp(), await api.signUpAdmin()];
    const created = await createKey(user.token);
    const path = `/users/${user.id}/api-keys`;
    const body = { name: 'x', scopes: ['tasks:read'] };
    expectProblem(await api.send('GET', path, { token: stranger.token }), 403, 'forbidden');
    expectProblem(await api.send('POST', path, { token: stranger.token, body }), 403, 'forbidden');
    const foreign = `/users/me/api-keys/${created.id}`;
    expectProblem(await api.send('DELETE', foreign, { token: stranger.token }), 404, 'not_found');
    expect((await api.send('GET', path, { token: admin.token })).json().items).toHaveLength(1);
    expect((await api.send('DELETE', `${path}/${created.id}`, { token: admin.token })).statusCode).toBe(204);
    const [event] = await actionsOf(user.token);
    expect(event).toMatchObject({ action: 'api_key_revoked', actor_id: admin.id });
    const nobody = '/users/0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4/api-keys';
    expectProblem(await api.send('POST', nobody, { token: admin.token, body }), 404, 'not_found');
  });

  test('a request that began before its session was revoked creates no key', async () => {
    const user = await api.signUp();
    const { sid: sessionId } = JSON.parse(Buffer.from(user.token.split('.')[1] ?? '', 'base64url').toString());
    const actor = { via: 'session' as const, userId: user.id, sessionId, authenticatedAt: api.clock.now() };
    const scope = { actor, owner: { userId: user.id }, isAdmin: false };
    await api.send('POST', '/auth/logout', { token: user.token });
    const client = { user_agent: null, ip_address: null, request_id: null, client_request_id: null };
    const creation = api.app.services.apiKeys.create(scope, 'me', { name: 'x', scopes: ['tasks:read'] }, client);
    await expect(creation).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('anybody can revoke a leaked key, its owner gets a mail, and the answer says nothing', async () => {
    const user = await api.signUp();
    const { key } = await createKey(user.token);
    const { userId = '', apiKeyId: id = '' } = parseApiKey(key) ?? {};
    const report = (text: string) => api.send('POST', '/auth/api-keys/revoke', { body: { key: text } });
    for (const text of ['x', formatApiKey({ userId, id, secret: newApiKeySecret() })])
      expect((await report(text)).statusCode).toBe(204);
    expect((await api.send('GET', '/users/me/tasks', { token: key })).statusCode).toBe(200);
    const answers = await Promise.all([report(key), report(key)]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([204, 204]);
    expectProblem(await api.send('GET', '/users/me/tasks', { token: key }), 401, 'invalid_token');
    const subjects = await subjectsTo(user.email);
    expect(subjects.filter((subject) => subject === 'An API key was revoked')).toHaveLength(1);
  });

  test('the owner is warned once, a week before a key expires; it is deleted a month after', async () => {
    const user = await api.signUp();
    await createKey(user.token, { expires_in_days: 5 });
    await createKey(user.token, { expires_in_days: 20 });
    const { apiKeyExpiry } = api.app.services;
    const warnings = async () =>
      (await subjectsTo(user.email)).filter((subject) => subject === 'An API key expires soon').length;
    await apiKeyExpiry.warn();
    expect(await warnings()).toBe(0);
    api.clock.advance(13.5 * 86_400);
    await apiKeyExpiry.warn();
    await apiKeyExpiry.warn();
    expect(await warnings()).toBe(1);
    const count = async () => (await api.database.system().apiKeys.list(user.id)).length;
    api.clock.advance(30 * 86_400);
    await apiKeyExpiry.deleteExpired();
    expect(await count()).toBe(1);
    api.clock.advance(30 * 86_400);
    await apiKeyExpiry.deleteExpired();
    expect(await count()).toBe(0);
  });

  test('a key from before an address was proven by somebody else stops working', async () => {
    const impostor = await api.signUp();
    const { key } = await createKey(impostor.token);
    const code = await emailCode(api, impostor.email);
    expect((await api.send('POST', '/auth/email-code/confirm', { body: code })).statusCode).toBe(200);
    expectProblem(await api.send('GET', '/users/me/tasks', { token: key }), 401, 'invalid_token');

    const other = await api.signUp();
    const { key: second } = await createKey(other.token);
    await api.send('POST', '/auth/password/forgot', { body: { email: other.email } });
    const token = await api.tokenFor('reset-password', other.email);
    const body = { token, new_password: 'another horse battery' };
    expect((await api.send('POST', '/auth/password/reset', { body })).statusCode).toBeLessThan(300);
    expectProblem(await api.send('GET', '/users/me/tasks', { token: second }), 401, 'invalid_token');
  });
});

describe('a service account', () => {
  const createService = async (token: string, account: Record<string, unknown> = {}) =>
    api.send('POST', '/users', { token, body: { email: uniqueEmail(), kind: 'service', ...account } });

  test('a service account has API keys and no password, and cannot sign in', async () => {
    const admin = await api.signUpAdmin();
    const created = await createService(admin.token);
    expect(created.statusCode).toBe(201);
    const service = created.json() as { id: string; email: string; kind: string };
    expect(service.kind).toBe('service');
    const { key } = await createKey(admin.token, { scopes: ['tasks:write', 'profile:read'] }, service.id);
    expect((await api.send('GET', '/users/me', { token: key })).json()).toMatchObject({
      id: service.id,
      kind: 'service',
    });
    expect((await api.send('POST', '/users/me/tasks', { token: key, body: { title: 'x' } })).statusCode).toBe(201);

    const login = await api.send('POST', '/auth/login', {
      body: { email: service.email, password: 'anything at all' },
    });
    expectProblem(login, 401, 'invalid_credentials');
    await api.send('POST', '/auth/password/forgot', { body: { email: service.email } });
    await api.send('POST', '/auth/email-code', { body: { email: service.email } });
    expect(await subjectsTo(service.email)).toEqual(['An API key was created']);
    const begin = api.app.services.beginSession(
      service.id,
      { user_agent: null, ip_address: null, request_id: null, client_request_id: null },
      async () => ['pwd'],
    );
    expect(await begin).toEqual({ isInactive: true });
  });

  test('a service account takes no password, and people need one', async () => {
    const admin = await api.signUpAdmin();
    const given = await createService(admin.token, { password: 'correct horse battery' });
    expect(expectProblem(given, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/password');
    const missing = await api.send('POST', '/users', { token: admin.token, body: { email: uniqueEmail() } });
    expect(expectProblem(missing, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/password');
    const { id } = (await createService(admin.token)).json();
    const body = { password: 'correct horse battery' };
    const set = await api.send('PATCH', `/users/${id}`, { token: admin.token, body });
    expect(expectProblem(set, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/password');
  });

  test('a service account does not count as the last admin', async () => {
    const own = await startTestApp();
    try {
      const admin = await own.signUpAdmin();
      const body = { email: uniqueEmail(), kind: 'service', is_admin: true };
      expect((await own.send('POST', '/users', { token: admin.token, body })).statusCode).toBe(201);
      const leaving = await own.send('DELETE', '/users/me', {
        token: admin.token,
        body: { current_password: 'correct horse battery' },
      });
      expectProblem(leaving, 409, 'last_admin');
    } finally {
      await own.close();
    }
  });
});

describe('limits of API keys', () => {
  test('an address that sends wrong keys is refused before the look-up, and a key that works is not', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const user = await own.signUp();
      const body = { name: 'Import', scopes: ['tasks:read'] };
      const created = await own.send('POST', '/users/me/api-keys', { token: user.token, body });
      const { key, id } = created.json() as CreatedApiKey;
      const tasks = (token: string) => own.send('GET', '/users/me/tasks', { token });
      expect((await tasks(key)).statusCode).toBe(200);
      const wrong = () => formatApiKey({ userId: user.id, id, secret: newApiKeySecret() });
      const answers = await Promise.all(Array.from({ length: 320 }, () => tasks(wrong())));
      const statuses = Object.groupBy(answers, ({ statusCode }) => statusCode);
      expect(statuses[401]).toHaveLength(300);
      expect(statuses[429]).toHaveLength(20);
      expect((await tasks(key)).statusCode).toBe(200);
      expectProblem(await tasks(wrong()), 429, 'rate_limited');
    } finally {
      await own.close();
    }
  });

  test('requests with a key count for the rate limit of its user, with those of sessions', async () => {
    const own = await startTestApp({ RATE_LIMIT: 'true', USER_REQUESTS_PER_MINUTE: '5' });
    try {
      const user = await own.signUp();
      const body = { name: 'Import', scopes: ['profile:read'] };
      const created = await own.send('POST', '/users/me/api-keys', { token: user.token, body });
      const { key } = created.json() as CreatedApiKey;
      const statuses = [];
      for (const [token, path] of [
        [key, '/users/me'],
        [user.token, '/users/me'],
        // Refused, and counted.
        [key, '/users/me/tasks'],
        [key, '/users/me'],
        [key, '/users/me'],
        [key, '/users/me/tasks'],
      ] as const)
        statuses.push((await own.send('GET', path, { token })).statusCode);
      expect(statuses).toEqual([200, 200, 403, 200, 429, 429]);
    } finally {
      await own.close();
    }
  });
});

test('adding a second factor ends no API key', async () => {
  const user = await api.signUp();
  const { key } = await createKey(user.token);
  await addTotp(api, user.token);
  expect((await api.send('GET', '/users/me/tasks', { token: key })).statusCode).toBe(200);
});
