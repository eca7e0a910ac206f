import { scopeOf, testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

let api: TestApp;
let admin: Awaited<ReturnType<TestApp['signUpAdmin']>>;
beforeAll(async () => {
  api = await startTestApp({ TRUST_PROXY: '127.0.0.1' });
  admin = await api.signUpAdmin();
});
afterAll(() => api.close());

interface Event {
  id: string;
  action: string;
  user_id: string | null;
  actor_id: string | null;
  session_id: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown>;
  created_at: string;
}

const list = async (query: string, token = admin.token, path = '/audit-events') => {
  const response = await api.send('GET', `${path}?${query}`, { token });
  expect(response.statusCode).toBe(200);
  return response.json() as { items: Event[]; next_cursor: string | null };
};
/** Returns the actions on an account, oldest first. */
const actionsOn = async (userId: string) => {
  const { items } = await list(`user_id=${userId}`);
  return items.map(({ action }) => action).reverse();
};
const asClient = (request_id: string) => ({
  headers: { 'x-forwarded-for': '203.0.113.9', 'user-agent': 'the browser of Ada', 'x-request-id': request_id },
});

describe('the audit trail', () => {
  test('an audit event has actor, action, time, client and request', async () => {
    const user = await api.register();
    const { headers } = asClient('sign-in-1');
    await api.send('POST', '/auth/login', { body: { email: user.email, password }, headers });
    const { items } = await list(`user_id=${user.id}&action=signed_in`);
    expect(items).toEqual([
      {
        id: expect.any(String),
        action: 'signed_in',
        user_id: user.id,
        actor_id: user.id,
        session_id: expect.any(String),
        ip_address: '203.0.113.9',
        user_agent: 'the browser of Ada',
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        client_request_id: 'sign-in-1',
        details: { methods: ['pwd'] },
        created_at: expect.any(String),
      },
    ]);
    expect(Math.abs(Date.parse(items[0]?.created_at ?? '') - Date.now())).toBeLessThan(60_000);
  });

  test('the audit trail records everything that users do to their accounts', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const [, session] = (await api.send('GET', '/auth/sessions', { token: other.access_token })).json().items;
    await api.send('DELETE', `/auth/sessions/${session.id}`, { token: other.access_token });
    const change = (body: object) => api.send('PATCH', '/users/me', { token: other.access_token, body });
    await change({ full_name: 'Ada' });
    await change({ username: 'ada.lovelace', current_password: password });
    await change({ password: 'another horse battery', current_password: 'wrong' });
    await change({ password: 'another horse battery', current_password: password });
    await change({ email: uniqueEmail(), current_password: 'another horse battery' });
    await api.send('POST', '/auth/logout', { token: other.access_token });
    const last = await api.login(
      (await api.database.system().users.find(user.id))?.email ?? '',
      'another horse battery',
    );
    await api.send('POST', '/auth/logout-all', { token: last.access_token });
    expect(await actionsOn(user.id)).toEqual([
      'account_created',
      'signed_in',
      'signed_in',
      'session_ended',
      'account_changed',
      'username_changed',
      'reauthentication_failed',
      'password_changed',
      'email_changed',
      'signed_out',
      'signed_in',
      'sessions_ended',
    ]);
    const { items } = await list(`user_id=${user.id}&action=account_changed`);
    expect(items[0]?.details).toEqual({ fields: ['full_name'] });
  });

  test('the audit trail records verifications and resets by mail', async () => {
    const user = await api.register();
    const verification = await api.tokenFor('verify-email', user.email);
    await api.send('POST', '/auth/email/verify', { body: { token: verification } });
    await api.send('POST', '/auth/password/forgot', { body: { email: user.email }, ...asClient('forgot-1') });
    const token = await api.tokenFor('reset-password', user.email);
    await api.send('POST', '/auth/password/reset', { body: { token, new_password: 'another horse battery' } });
    expect(await actionsOn(user.id)).toEqual([
      'account_created',
      'email_verified',
      'password_voided',
      'password_reset_requested',
      'password_reset',
    ]);
    const { items } = await list(`user_id=${user.id}&action=password_reset_requested`);
    expect(items).toMatchObject([{ user_id: user.id, actor_id: null, ip_address: '203.0.113.9' }]);
  });

  test('the audit trail records failed sign-ins with the reason and without the typed name', async () => {
    const user = await api.register();
    const attempt = (email: string, secret: string, id: string) =>
      api.send('POST', '/auth/login', { body: { email, password: secret }, ...asClient(id) });
    await attempt(user.email, 'a secret that was typed', 'failed-1');
    await attempt('a-password-typed-as-a-name', 'a secret that was typed', 'failed-2');
    await api.database.system().users.update(user.id, { is_active: false });
    await attempt(user.email, password, 'failed-3');
    const events = [];
    for (const id of ['failed-1', 'failed-2', 'failed-3'])
      events.push(...(await list(`client_request_id=${id}`)).items);
    expect(events).toMatchObject([
      { action: 'sign_in_failed', user_id: user.id, actor_id: null, details: { reason: 'wrong_password' } },
      { action: 'sign_in_failed', user_id: null, actor_id: null, details: { reason: 'unknown_account' } },
      { action: 'sign_in_failed', user_id: user.id, actor_id: null, details: { reason: 'account_inactive' } },
    ]);
    expect(JSON.stringify(events)).not.toMatch(/typed/);
  });

  test('the audit trail records the theft of a refresh token with its session', async () => {
    const user = await api.signUp();
    const refresh = (refresh_token: string) => api.send('POST', '/auth/refresh', { body: { refresh_token } });
    const { access_token: token } = (await refresh(user.refreshToken)).json();
    await api.useSession(token);
    api.clock.advance(31);
    expectProblem(await refresh(user.refreshToken), 401, 'invalid_token');
    expectProblem(await refresh(user.refreshToken), 401, 'invalid_token');
    const { items } = await list(`user_id=${user.id}&action=refresh_token_stolen`);
    const signedIn = (await list(`user_id=${user.id}&action=signed_in`)).items[0];
    expect(items).toMatchObject([{ session_id: signedIn?.session_id, actor_id: null }]);
  });

  test('the audit trail names the admin as actor, and outlives the account', async () => {
    const asAdmin = (method: string, path: string, body?: object) =>
      api.send(method, path, { token: admin.token, body });
    const made = (await asAdmin('POST', '/users', { email: uniqueEmail(), password, is_admin: true })).json();
    await asAdmin('PATCH', `/users/${made.id}`, { is_admin: false, full_name: 'Grace' });
    await asAdmin('PATCH', `/users/${made.id}`, { password: 'another horse battery' });
    await asAdmin('DELETE', `/users/${made.id.toUpperCase()}/sessions`);
    await asAdmin('PATCH', `/users/${made.id}`, { is_active: false });
    await asAdmin('DELETE', `/users/${made.id}`);
    const { items } = await list(`user_id=${made.id}&actor_id=${admin.id}`);
    expect(items.reverse().map(({ action, details }) => [action, details])).toEqual([
      ['account_created', { is_admin: true }],
      ['account_changed', { fields: ['is_admin', 'full_name'], is_admin: false }],
      ['password_changed', {}],
      ['sessions_ended', {}],
      ['account_changed', { fields: ['is_active'], is_active: false }],
      ['account_deleted', {}],
    ]);
  });

  test('the audit trail records nothing that was rolled back', async () => {
    const user = await api.signUp();
    const taken = await api.send('PATCH', '/users/me', {
      token: user.token,
      body: { email: admin.email, current_password: password },
    });
    expectProblem(taken, 409, 'email_taken');
    expect(await actionsOn(user.id)).toEqual(['account_created', 'signed_in']);
  });
});

describe('audit events', () => {
  test('audit events are paged, newest first', async () => {
    const user = await api.register();
    for (let n = 0; n < 5; n++) await api.login(user.email);
    const all = (await list(`user_id=${user.id}`)).items.map(({ id }) => id);
    expect(all).toHaveLength(6);
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { items: Event[]; next_cursor: string | null } = await list(
        `user_id=${user.id}&limit=4${cursor && `&cursor=${cursor}`}`,
      );
      paged.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(all);
    expect([...all].sort().reverse()).toEqual(all);
  });

  test('audit events can be filtered by time and address', async () => {
    const user = await api.register();
    const ids: Event[] = [];
    for (let n = 0; n < 3; n++) {
      await api.login(user.email);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    ids.push(...(await list(`user_id=${user.id}&action=signed_in`)).items.reverse());
    const [first, second, third] = ids as [Event, Event, Event];
    const between = async (query: string) =>
      (await list(`user_id=${user.id}&action=signed_in&${query}`)).items.map(({ id }) => id);
    expect(await between(`since=${second.created_at}`)).toEqual([third.id, second.id]);
    expect(await between(`until=${second.created_at}`)).toEqual([first.id]);
    expect(await between(`since=${first.created_at}&until=${third.created_at}`)).toEqual([second.id, first.id]);
    expect(await between('since=2020-01-01T00:00:00%2B02:00')).toHaveLength(3);
    expect(await between('since=2024-02-29T00:00Z')).toHaveLength(3);
    expect(await between('ip_address=127.0.0.1')).toHaveLength(3);
    expect(await between('ip_address=::1')).toEqual([]);
  });

  test('audit events: invalid filters answer 422', async () => {
    for (const query of [
      'since=yesterday',
      'since=2026',
      'until=2026-13-01T00:00:00Z',
      'until=2026-02-30T00:00:00Z',
      'until=2026-02-29T00:00:00Z',
      'until=0000-01-01T00:00:00Z',
      'until=9999-12-31T23:59:59.999Z',
      'until=2026-01-01T00:00:00%2B16:00',
      'ip_address=here',
      'action=x',
      'action=signed_in',
      'x=1',
      'user_id=1',
    ])
      expectProblem(await api.send('GET', `/audit-events?${query}`, { token: admin.token }), 422, 'validation_failed');
  });

  test.runIf(testServerUrl)(
    'a list of audit events that the database cancels answers 422 query_too_expensive',
    async () => {
      await api.database.maintain(async (holder) => {
        await holder.execute('begin; lock table audit_events in access exclusive mode');
        const response = await api.send('GET', '/audit-events', { token: admin.token });
        expectProblem(response, 422, 'query_too_expensive');
        await holder.execute('rollback');
      });
    },
  );

  test('users see their own audit events, and admins see all', async () => {
    const [user, other] = [await api.signUp(), await api.signUp()];
    expectProblem(await api.send('GET', '/audit-events', { token: user.token }), 403, 'forbidden');
    const { items } = await list('', user.token, '/users/me/audit-events');
    expect(items.map(({ action }) => action)).toEqual(['signed_in', 'account_created']);
    for (const { user_id } of items) expect(user_id).toBe(user.id);
    const refused = await api.send('GET', `/users/me/audit-events?user_id=${other.id}`, { token: user.token });
    expectProblem(refused, 422, 'validation_failed');
  });

  test('audit events hide the client of an admin from the user', async () => {
    const user = await api.signUp();
    await api.send('PATCH', `/users/${user.id}`, {
      token: admin.token,
      body: { full_name: 'Ada' },
      ...asClient('admin-1'),
    });
    const { items } = await list('action=account_changed', user.token, '/users/me/audit-events');
    expect(items).toMatchObject([
      { actor_id: admin.id, ip_address: null, user_agent: null, request_id: null, session_id: null },
    ]);
  });

  test('audit events cannot be changed, and only their owner sees them', async () => {
    const user = await api.signUp();
    const [event] = (await list(`user_id=${user.id}`)).items;
    for (const statement of ['update audit_events set action = action', 'delete from audit_events']) {
      await expect(api.database.inspect((connection) => connection.query(statement))).rejects.toThrow(/append-only/);
      const asUser = api.database.inspect(async (connection) => {
        await connection.execute('begin; set local role quoin_app');
        try {
          await connection.query(statement);
        } finally {
          await connection.execute('rollback');
        }
      });
      await expect(asUser).rejects.toThrow(/permission denied/);
    }
    const seen = await api.database.as(scopeOf(admin.id)).auditEvents.list({ limit: 200 });
    expect(seen.filter(({ user_id }) => user_id === user.id)).toEqual([]);
    expect((await list(`user_id=${user.id}`)).items).toContainEqual(event);
  });
});
