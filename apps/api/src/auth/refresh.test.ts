import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';
import { uuidOf } from '../http/uuid-bytes.ts';
import { createRefreshTokens, type SessionKeys } from './refresh-token.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ REFRESH_GRACE_SECONDS: '30' });
});
afterAll(() => api.close());

const refresh = (refresh_token: string, app = api) => app.send('POST', '/auth/refresh', { body: { refresh_token } });
const next = async (refresh_token: string, app = api) => {
  const response = await refresh(refresh_token, app);
  expect(response.statusCode).toBe(200);
  return response.json() as { access_token: string; refresh_token: string };
};
const isAlive = async (token: string, app = api) => (await app.send('GET', '/users/me', { token })).statusCode === 200;
const signIn = async (app = api) => app.login((await app.register()).email);

test('refresh rotates the tokens, for JSON and for the OAuth 2 form', async () => {
  const first = await signIn();
  const second = await next(first.refresh_token);
  expect(second.refresh_token).not.toBe(first.refresh_token);
  expect(await isAlive(second.access_token)).toBe(true);
  const form = { grant_type: 'refresh_token', refresh_token: second.refresh_token };
  const third = await api.send('POST', '/auth/refresh', { form });
  expect(third.statusCode).toBe(200);
  expect(third.headers['cache-control']).toBe('no-store');
  expect(third.json()).toMatchObject({ token_type: 'bearer', expires_in: 900 });
});

test('20 concurrent refreshes get the same refresh token of one session', async () => {
  const first = await signIn();
  const all = await Promise.all(Array.from({ length: 20 }, () => next(first.refresh_token)));
  expect(new Set(all.map((tokens) => tokens.refresh_token)).size).toBe(1);
  for (const { access_token } of all) expect(await isAlive(access_token)).toBe(true);
  await next(all[0]?.refresh_token ?? '');
});

// These tests follow the table in docs/decisions/013.
describe('the previous refresh token', () => {
  const agent = (userAgent: string) => ({ 'user-agent': userAgent });
  const refreshBy = (userAgent: string, refresh_token: string) =>
    api.send('POST', '/auth/refresh', { body: { refresh_token }, headers: agent(userAgent) });
  /** Creates a session whose token the browser has rotated once. */
  const rotatedOnce = async () => {
    const { email } = await api.register();
    const body = { email, password };
    const first = (await api.send('POST', '/auth/login', { body, headers: agent('browser') })).json();
    const second = (await refreshBy('browser', first.refresh_token)).json();
    return { first, second };
  };
  const eventsOf = async (token: string) => {
    const { sid } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ action: string }>(
        "select action from audit_events where session_id = $1 and action like 'refresh%' order by id",
        [sid],
      ),
    );
    return rows.map(({ action }) => action);
  };

  interface Cell {
    isUsed: boolean;
    isLate: boolean;
    userAgent: string;
    outcome: 'current token' | 'theft';
  }
  const cells: Cell[] = [
    { isUsed: false, isLate: false, userAgent: 'browser', outcome: 'current token' },
    { isUsed: true, isLate: false, userAgent: 'browser', outcome: 'current token' },
    { isUsed: false, isLate: true, userAgent: 'browser', outcome: 'current token' },
    { isUsed: true, isLate: true, userAgent: 'browser', outcome: 'theft' },
    { isUsed: false, isLate: false, userAgent: 'thief', outcome: 'theft' },
    { isUsed: true, isLate: false, userAgent: 'thief', outcome: 'theft' },
    { isUsed: false, isLate: true, userAgent: 'thief', outcome: 'theft' },
    { isUsed: true, isLate: true, userAgent: 'thief', outcome: 'theft' },
  ];
  test.each(cells)(
    'the previous refresh token depends on client, grace period and use of the current one: %o',
    async (cell) => {
      const { first, second } = await rotatedOnce();
      if (cell.isUsed) await api.useSession(second.access_token);
      if (cell.isLate) api.clock.advance(31);
      const answers = await Promise.all([1, 2, 3].map(() => refreshBy(cell.userAgent, first.refresh_token)));
      if (cell.outcome === 'current token') {
        for (const answer of answers) expect(answer.json().refresh_token).toBe(second.refresh_token);
        expect(await isAlive(second.access_token)).toBe(true);
        expect(await eventsOf(first.access_token)).toEqual(Array(3).fill('refresh_token_reused'));
      } else {
        for (const answer of answers) expectProblem(answer, 401, 'invalid_token');
        expect(await isAlive(second.access_token)).toBe(false);
        expectProblem(await refreshBy('browser', second.refresh_token), 401, 'invalid_token');
        expect(await eventsOf(first.access_token)).toEqual(['refresh_token_stolen']);
      }
    },
  );

  test('the previous refresh token works from another address', async () => {
    const { first, second } = await rotatedOnce();
    const body = { refresh_token: first.refresh_token };
    const again = await api.send('POST', '/auth/refresh', {
      body,
      headers: agent('browser'),
      remoteAddress: '192.0.2.7',
    });
    expect(again.json().refresh_token).toBe(second.refresh_token);
  });

  test('the previous refresh token works after the grace period if the response was lost', async () => {
    const { email } = await api.register();
    const sessions = await Promise.all(Array.from({ length: 20 }, () => api.login(email)));
    for (const { refresh_token } of sessions) await next(refresh_token);
    api.clock.advance(120);
    const again = await Promise.all(sessions.map(({ refresh_token }) => next(refresh_token)));
    for (const { access_token } of again) expect(await isAlive(access_token)).toBe(true);
  });

  test('a refresh token two generations old never works', async () => {
    const { first, second } = await rotatedOnce();
    await refreshBy('browser', second.refresh_token);
    expectProblem(await refreshBy('browser', first.refresh_token), 401, 'invalid_token');
    expect(await isAlive(second.access_token)).toBe(false);
  });
});

test('an older refresh token ends the session once, even if 50 arrive concurrently', async () => {
  const { id, email } = await api.register();
  const first = await api.login(email);
  const second = await next(first.refresh_token);
  const third = await next(second.refresh_token);
  const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(first.refresh_token)));
  for (const answer of answers) expectProblem(answer, 401, 'invalid_token');
  expectProblem(await refresh(third.refresh_token), 401, 'invalid_token');
  const reasons = await api.database.inspect((connection) =>
    connection.query('select revoked_reason from user_sessions where user_id = $1', [id]),
  );
  expect(reasons.rows).toEqual([{ revoked_reason: 'theft' }]);
});

test('50 concurrent refreshes with the current token end no session', async () => {
  let { refresh_token } = await signIn();
  for (let round = 0; round < 5; round++) {
    const all = await Promise.all(Array.from({ length: 50 }, () => next(refresh_token)));
    const tokens = new Set(all.map((one) => one.refresh_token));
    expect(tokens.size).toBe(1);
    refresh_token = [...tokens][0] ?? '';
  }
});

test('1,000 concurrent refreshes of 50 sessions lose and duplicate no session', async () => {
  const user = await api.register();
  const sessions = await Promise.all(Array.from({ length: 50 }, () => api.login(user.email)));
  const rounds = sessions.flatMap((session, index) =>
    Array.from({ length: 20 }, () => ({ index, token: session.refresh_token })),
  );
  // On a slow machine, some requests get 503 because no connection is free. Clients retry those.
  const nextWhenServed = async (token: string) => {
    let response = await refresh(token);
    while (response.statusCode === 503) response = await refresh(token);
    expect(response.statusCode).toBe(200);
    return response.json() as { refresh_token: string };
  };
  const answers = await Promise.all(
    rounds.map(async ({ index, token }) => ({ index, tokens: await nextWhenServed(token) })),
  );
  const bySession = Object.values(Object.groupBy(answers, ({ index }) => index));
  expect(bySession.map((some = []) => new Set(some.map(({ tokens }) => tokens.refresh_token)).size)).toEqual(
    sessions.map(() => 1),
  );
  for (const [first] of bySession as (typeof answers)[]) await next(first?.tokens.refresh_token ?? '');
  const { rows } = await api.database.inspect((connection) =>
    connection.query('select generation, revoked_at from user_sessions where user_id = $1', [user.id]),
  );
  expect(rows).toEqual(sessions.map(() => ({ generation: 2, revoked_at: null })));
});

test('without a grace period, an old refresh token ends the session', async () => {
  const strict = await startTestApp({ REFRESH_GRACE_SECONDS: '0' });
  try {
    const first = await signIn(strict);
    const second = await next(first.refresh_token, strict);
    expectProblem(await refresh(first.refresh_token, strict), 401, 'invalid_token');
    expectProblem(await refresh(second.refresh_token, strict), 401, 'invalid_token');
  } finally {
    await strict.close();
  }
});

test('a session ends after its absolute lifetime, regardless of use', async () => {
  const session = await signIn();
  let { refresh_token } = session;
  for (let day = 1; day < 30; day++) {
    api.clock.advance(86_400);
    refresh_token = (await next(refresh_token)).refresh_token;
  }
  api.clock.advance(86_400);
  expectProblem(await refresh(refresh_token), 401, 'invalid_token');
});

test('a session ends after the inactivity timeout', async () => {
  const session = await signIn();
  api.clock.advance(7 * 86_400 - 60);
  const { refresh_token } = await next(session.refresh_token);
  api.clock.advance(7 * 86_400 + 60);
  expectProblem(await refresh(refresh_token), 401, 'invalid_token');
});

test('garbage, access tokens and forged refresh tokens are rejected and end no session', async () => {
  const session = await signIn();
  const bytes = Buffer.from(session.refresh_token, 'base64url');
  const withByte = (index: number) => {
    const forged = Buffer.from(bytes);
    forged[index] = (forged[index] ?? 0) ^ 1;
    return forged.toString('base64url');
  };
  // An attacker with either the server's secret or the table, but not both.
  const { rows } = await api.database.inspect((connection) =>
    connection.query<SessionKeys>('select id, user_id, generation, token_secret from user_sessions where id = $1', [
      uuidOf(bytes.subarray(16)),
    ]),
  );
  const [row] = rows;
  if (!row) throw new Error('the token names no session');
  const ownTokens = createRefreshTokens(api.config.secretKey);
  const secretOnly = ownTokens.create({ ...row, token_secret: randomBytes(32) });
  const ofAnotherUser = ownTokens.create({ ...row, user_id: randomUUID() });
  const tableOnly = createRefreshTokens('not the secret of this server').create(row);
  const forgeries = [
    'garbage',
    '='.repeat(70),
    session.access_token,
    `${session.refresh_token}A`,
    session.refresh_token.slice(0, -1),
    withByte(0),
    withByte(16),
    withByte(35),
    withByte(36),
    withByte(67),
    secretOnly,
    ofAnotherUser,
    tableOnly,
    Buffer.alloc(68).toString('base64url'),
  ];
  for (const forgery of forgeries) {
    const response = await refresh(forgery);
    expect(expectProblem(response, 401, 'invalid_token')).toMatchObject({ error: 'invalid_grant' });
  }
  await next(session.refresh_token);
});

test.each([
  ['no token', {}],
  ['an empty one', { refresh_token: '' }],
  ['a number', { refresh_token: 1 }],
  ['another grant', { refresh_token: 'x', grant_type: 'password' }],
  ['a field that nobody knows', { refresh_token: 'x', user_id: 'y' }],
])('refresh rejects %s', async (_, body) => {
  expectProblem(await api.send('POST', '/auth/refresh', { body }), 422, 'validation_failed');
});

test('a deactivated user cannot refresh', async () => {
  const user = await api.signUp();
  await api.database.system().users.update(user.id, { is_active: false });
  expectProblem(await refresh(user.refreshToken), 401, 'invalid_token');
});
