import { connect } from '@quoin/db';
import { testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';
import { createSessions } from './session-service.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const list = async (token: string) => (await api.send('GET', '/auth/sessions', { token })).json().items;
const nobody = '01999999-9999-7999-9999-999999999999';

test('the session list is sorted by creation and marks the current session', async () => {
  const { email } = await api.register();
  const login = (agent: string, remoteAddress: string) =>
    api.send('POST', '/auth/login', { body: { email, password }, headers: { 'user-agent': agent }, remoteAddress });
  const phone = (await login('Phone 🧱'.normalize(), '192.0.2.1')).json();
  await login('Laptop', '2001:db8::1');
  const items = await list(phone.access_token);
  expect(items).toMatchObject([
    { user_agent: 'Laptop', ip_address: '2001:db8::1', current: false },
    { ip_address: '192.0.2.1', current: true },
  ]);
  expect(items[0]).toEqual({
    id: expect.any(String),
    user_agent: 'Laptop',
    ip_address: '2001:db8::1',
    methods: ['pwd'],
    authenticated_at: api.clock.now().toISOString(),
    created_at: api.clock.now().toISOString(),
    last_used_at: api.clock.now().toISOString(),
    expires_at: new Date(api.clock.now().getTime() + 30 * 86_400_000).toISOString(),
    current: false,
  });
});

test('ending a session revokes it at once and no other', async () => {
  const { email } = await api.register();
  const [mine, other] = [await api.login(email), await api.login(email)];
  const target = (await list(mine.access_token)).find(({ current }: { current: boolean }) => !current);
  const path = `/auth/sessions/${target.id}`;
  const response = await api.send('DELETE', path, { token: mine.access_token });
  expect([response.statusCode, response.body]).toEqual([204, '']);
  expectProblem(await api.send('GET', '/users/me', { token: other.access_token }), 401, 'invalid_token');
  const refresh = { body: { refresh_token: other.refresh_token } };
  expectProblem(await api.send('POST', '/auth/refresh', refresh), 401, 'invalid_token');
  expect(await list(mine.access_token)).toHaveLength(1);
  expectProblem(await api.send('DELETE', path, { token: mine.access_token }), 404, 'not_found');
});

test('another user’s session answers the same bytes as a missing one, and stays', async () => {
  const [mine, theirs] = [await api.signUp(), await api.signUp()];
  const [{ id }] = await list(theirs.token);
  const headers = { 'x-request-id': 'the-same' };
  const foreign = await api.send('DELETE', `/auth/sessions/${id}`, { token: mine.token, headers });
  const missing = await api.send('DELETE', `/auth/sessions/${nobody}`, { token: mine.token, headers });
  expectProblem(foreign, 404, 'not_found');
  expect(foreign.body.replace(id, nobody)).toBe(missing.body);
  expect(await list(theirs.token)).toHaveLength(1);
  expectProblem(await api.send('DELETE', '/auth/sessions/1', { token: mine.token }), 422, 'validation_failed');
});

test('the session list omits expired and idle sessions', async () => {
  const { email } = await api.register();
  await api.login(email);
  api.clock.advance(8 * 86_400);
  const { access_token } = await api.login(email);
  expect(await list(access_token)).toHaveLength(1);
});

test('an admin ends all sessions of one user only', async () => {
  const admin = await api.signUpAdmin();
  const [user, other] = [await api.signUp(), await api.signUp()];
  const path = `/users/${user.id}/sessions`;
  expectProblem(await api.send('DELETE', path, { token: other.token }), 403, 'forbidden');
  expectProblem(await api.send('DELETE', path, { token: user.token }), 403, 'forbidden');
  expect((await api.send('DELETE', path, { token: admin.token })).statusCode).toBe(204);
  expectProblem(await api.send('GET', '/users/me', { token: user.token }), 401, 'invalid_token');
  expect(await list(other.token)).toHaveLength(1);
  expect((await api.send('DELETE', path, { token: admin.token })).statusCode).toBe(204);
  expectProblem(await api.send('DELETE', `/users/${nobody}/sessions`, { token: admin.token }), 404, 'not_found');
  expectProblem(await api.send('DELETE', '/users/me/sessions', { token: admin.token }), 422, 'validation_failed');
});

test('the cleanup deletes sessions that expired a week ago or were revoked a day ago, also from several processes', async () => {
  const own = await startTestApp();
  try {
    const user = await own.signUp();
    await own.database.maintain((connection) =>
      connection.query(
        `insert into user_sessions (id, user_id, token_secret, expires_at)
         select gen_random_uuid(), $1, '', now() + n * interval '1 second' from generate_series(1, 2500) n`,
        [user.id],
      ),
    );
    const ended = await own.signUp();
    expect((await own.send('POST', '/auth/logout', { token: ended.token })).statusCode).toBe(204);
    own.clock.advance(86_400 - 60);
    expect(await own.app.services.sessions.deleteEnded()).toBe(0);
    own.clock.advance(120);
    expect(await own.app.services.sessions.deleteEnded()).toBe(1);
    own.clock.advance(6 * 86_400 + 3600);
    const others = testServerUrl ? [await connect(own.database.directUrl), await connect(own.database.directUrl)] : [];
    const { config, clock } = own;
    const all = [own.database, ...others].map((database) => createSessions({ database, config, clock: clock.now }));
    const deleted = await Promise.all(all.map((sessions) => sessions.deleteEnded()));
    expect(deleted.reduce((sum, n) => sum + n)).toBe(2500);
    expect(await own.app.services.sessions.deleteEnded()).toBe(0);
    const { rows } = await own.database.inspect((connection) => connection.query('select user_id from user_sessions'));
    expect(rows).toEqual([{ user_id: user.id }]);
    await Promise.all(others.map((other) => other.close()));
  } finally {
    await own.close();
  }
});
