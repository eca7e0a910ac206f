import { keptOpen, runInProcess } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobsIn, makeJobsDue } from '../../testing/jobs.ts';
import {
  expectProblem,
  password,
  startTestApp,
  type TestApp,
  testEnvironment,
  uniqueEmail,
} from '../../testing/test-app.ts';
import { userCommand } from '../commands/user.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const deletion = (token: string, body: object = {}) => api.send('POST', '/users/me/deletion', { token, body });
const daySeconds = 86_400;
const exists = async (id: string) => (await api.database.system().users.find(id)) !== undefined;
/** Runs the deletions as if the time of each job had come. */
const runDeletions = async () => {
  await makeJobsDue(api.database);
  await api.app.runner.runDue('delete account');
};
const subjectsTo = async (email: string) => (await api.mailsTo(email)).map(({ subject }) => subject);

describe('a requested deletion', () => {
  test('requesting a deletion ends all sessions and deletes the account after the pause', async () => {
    const user = await api.signUp();
    const requestedAt = api.clock.now().getTime();
    const response = await deletion(user.token);
    expect(response.statusCode).toBe(202);
    const dueAt = new Date(response.json().deletion_due_at).getTime();
    expect(dueAt).toBe(requestedAt + 14 * daySeconds * 1000);
    expectProblem(await api.send('GET', '/users/me', { token: user.token }), 401, 'invalid_token');
    const body = { refresh_token: user.refreshToken };
    expectProblem(await api.send('POST', '/auth/refresh', { body }), 401, 'invalid_token');
    expect(await subjectsTo(user.email)).toContain('Your account will be deleted');

    await runDeletions();
    expect(await exists(user.id)).toBe(true);
    expect(
      (await jobsIn(api.database)).filter(({ name, group_id }) => name === 'delete-account' && group_id === user.id),
    ).toMatchObject([{ state: 'created', start_after: new Date(dueAt) }]);
    const again = await deletion((await api.login(user.email)).access_token);
    expect(again.statusCode).toBe(202);
    api.clock.advance(14 * daySeconds + 1);
    await runDeletions();
    expect(await exists(user.id)).toBe(false);
    await api.register({ email: user.email });
  });

  test('requesting a deletion without a body takes the default pause', async () => {
    const { token } = await api.signUp();
    expect((await api.send('POST', '/users/me/deletion', { token })).statusCode).toBe(202);
  });

  test('signing in cancels the deletion, with a mail and an event', async () => {
    const user = await api.signUp();
    await deletion(user.token, { after_days: 3 });
    const { access_token: token } = await api.login(user.email);
    expect(await subjectsTo(user.email)).toContain('Your account will not be deleted');
    const events = await api.send('GET', '/users/me/audit-events?action=deletion_cancelled', { token });
    expect(events.json().items).toHaveLength(1);
    api.clock.advance(4 * daySeconds);
    await runDeletions();
    expect(await exists(user.id)).toBe(true);
  });

  test('a deletion whose job is gone is found by the hourly search', async () => {
    const user = await api.signUp();
    await deletion(user.token, { after_days: 1 });
    await api.database.execute(`delete from pgboss.job where group_id = '${user.id}'`);
    const { enqueueOverdue } = api.app.services.accountDeletion;
    expect(await enqueueOverdue()).toBe(0);
    api.clock.advance(daySeconds + 3_601);
    expect(await enqueueOverdue()).toBe(1);
    expect(await enqueueOverdue()).toBe(0);
    await api.app.runner.runDue('delete account');
    expect(await exists(user.id)).toBe(false);
  });

  test('requesting a deletion again leaves one waiting job', async () => {
    const user = await api.signUp();
    for (const after_days of [10, 20, 30]) {
      const { access_token: token } = await api.login(user.email);
      expect((await deletion(token, { after_days })).statusCode).toBe(202);
    }
    const waiting = (await jobsIn(api.database)).filter(
      ({ name, group_id }) => name === 'delete-account' && group_id === user.id,
    );
    expect(waiting).toHaveLength(1);
  });

  test('a wrong password does not cancel the deletion', async () => {
    const user = await api.signUp();
    await deletion(user.token, { after_days: 1 });
    const wrong = await api.send('POST', '/auth/login', { body: { username: user.email, password: 'a wrong guess' } });
    expectProblem(wrong, 401, 'invalid_credentials');
    api.clock.advance(daySeconds + 1);
    await runDeletions();
    expect(await exists(user.id)).toBe(false);
  });

  test('a deletion with after_days 0 deletes the account at once', async () => {
    const user = await api.signUp();
    await deletion(user.token, { after_days: 0 });
    await api.app.runner.runDue('delete account');
    expect(await exists(user.id)).toBe(false);
  });

  test('API keys do not work while the deletion waits, and work again after it is cancelled', async () => {
    const user = await api.signUp();
    const body = { name: 'program', scopes: ['profile:read'] };
    const { key } = (await api.send('POST', '/users/me/api-keys', { token: user.token, body })).json();
    const use = async () => (await api.send('GET', '/users/me', { token: key })).statusCode;
    expect(await use()).toBe(200);
    await deletion(user.token);
    expect(await use()).toBe(401);
    await api.login(user.email);
    expect(await use()).toBe(200);
  });

  test('the last admin cannot request a deletion, and no deletion removes the last admin', async () => {
    const own = await startTestApp();
    try {
      const [admin, second] = [await own.signUpAdmin(), await own.signUpAdmin()];
      const request = ({ token }: { token: string }) =>
        own.send('POST', '/users/me/deletion', { token, body: { after_days: 0 } });
      expect((await request(second)).statusCode).toBe(202);
      await own.database.system().users.update(admin.id, { is_admin: false });
      await own.app.runner.runDue('delete account');
      expect(await own.database.system().users.find(second.id)).toBeDefined();
      expect((await jobsIn(own.database)).filter(({ name }) => name === 'delete-account')).toEqual([]);
      const { access_token: token } = await own.login(second.email);
      expectProblem(await request({ token }), 409, 'last_admin');
    } finally {
      await own.close();
    }
  });

  test.each([[{ after_days: -1 }], [{ after_days: 31 }], [{ after_days: 1.5 }], [{ after: 1 }]])(
    'returns 422 for the body %j',
    async (body) => {
      const { token } = await api.signUp();
      expectProblem(await deletion(token, body), 422, 'validation_failed');
    },
  );

  test('requesting a deletion needs a recent sign-in', async () => {
    const { token } = await api.signUp();
    api.clock.advance(700);
    expectProblem(await deletion(token), 401, 'step_up_required');
  });
});

describe('npm run user -- erase', () => {
  const erase = (email: string, ...options: string[]) =>
    runInProcess(userCommand(keptOpen(api.database)), ['erase', '--email', email, ...options], {
      env: testEnvironment(),
    });

  /** Returns all rows of all tables as text. */
  const dump = async () => {
    const [tables] = await api.database.execute(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', 'pgboss') and c.relkind = 'r'`,
    );
    const texts: string[] = [];
    for (const { name } of tables?.rows ?? []) {
      const [found] = await api.database.execute(`select t::text as row from ${name} t`);
      texts.push(...(found?.rows ?? []).map(({ row }) => String(row)));
    }
    return texts.join('\n');
  };

  test('after an erasure, no table contains the account', async () => {
    const canary = `canary${Date.now()}`;
    const email = `${canary}@example.com`;
    const headers = { 'user-agent': canary };
    const send = (method: string, path: string, token: string, body?: object) =>
      api.send(method, path, {
        token,
        headers: { ...headers, 'idempotency-key': `${canary}-${path}` },
        ...(body && { body }),
      });
    await api.send('POST', '/auth/register', {
      headers,
      body: { email, username: canary, full_name: canary, password: 'correct horse battery' },
    });
    const login = await api.send('POST', '/auth/login', {
      headers,
      body: { username: email, password: 'correct horse battery' },
    });
    const { access_token: token } = login.json();
    const { id } = (await api.send('GET', '/users/me', { token })).json();
    await send('POST', '/users/me/tasks', token, { title: canary });
    await send('POST', '/users/me/documents', token, { title: canary, content: canary, metadata: { canary } });
    await send('POST', '/users/me/api-keys', token, { name: canary, scopes: ['tasks:read'] });
    await send('POST', '/users/me/exports', token);
    await api.app.runner.runDue('export account');
    await send('POST', '/organizations', token, { name: canary });
    await api.database.system().users.update(id, { email_verified_at: new Date() });
    const { path, owner, admin } = await api.newOrganization();
    const { id: organizationId } = (await send('POST', '/organizations', token, { name: canary })).json();
    await send('POST', `/organizations/${organizationId}/documents`, token, { title: canary, content: canary });
    await send('POST', `/organizations/${organizationId}/invitations`, token, { email: admin.email, role: 'member' });
    await api.send('POST', `${path}/invitations`, { token: owner.token, body: { email, role: 'member' } });
    await api.send('POST', '/auth/password/forgot', { headers, body: { email } });
    await api.send('POST', '/auth/login', { headers, body: { username: email, password: 'a wrong guess' } });
    const before = await dump();
    expect(before.split(canary).length).toBeGreaterThan(20);

    expect(await erase(email, '--prove')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(
          `^the account is ${id}\nremoved the account, \\d+ audit events, \\d+ invitations and \\d+ jobs\nnothing mentions`,
        ),
      ),
    });
    const after = await dump();
    expect(after).not.toContain(canary);
    expect(after).not.toContain(id);
    expect(after).toContain('account_erased');
  });

  test('an erasure removes the account as the actor of events about others', async () => {
    const [admin, user] = [await api.signUpAdmin(), await api.signUp()];
    await api.signUpAdmin();
    const body = { full_name: 'Renamed' };
    expect((await api.send('PATCH', `/users/${user.id}`, { token: admin.token, body })).statusCode).toBe(200);
    expect((await erase(admin.email, '--prove')).code).toBe(0);
    const events = await api.send('GET', '/users/me/audit-events?action=account_changed', { token: user.token });
    expect(events.json().items).toMatchObject([{ actor_id: null, ip_address: null }]);
  });

  test('--prove lists the places that still mention the account, and fails', async () => {
    const [user, other] = [await api.signUp(), await api.signUp()];
    await api.send('POST', '/users/me/tasks', {
      token: other.token,
      body: { title: `Write to ${user.email.toUpperCase()}` },
    });
    const result = await erase(user.email, '--prove');
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('tasks.title: 1 rows');
    expect(result.stdout).toContain('these places still mention');
  });

  test('an erasure leaves an account whose address ends in the same way', async () => {
    const [user, other] = [
      await api.signUp({ email: 'bc@example.com' }),
      await api.signUp({ email: 'a-bc@example.com' }),
    ];
    expect(await erase(user.email, '--prove')).toMatchObject({ code: 0 });
    expect((await api.mailsTo(other.email)).map(({ subject }) => subject)).toContain('Verify your email address');
    const events = await api.send('GET', '/users/me/audit-events', { token: other.token });
    expect(events.json().items.length).toBeGreaterThan(0);
  });

  test('an account that was deleted before is erased by its id', async () => {
    const user = await api.signUp();
    await api.send('DELETE', '/users/me', { token: user.token, body: { current_password: password } });
    await api.app.runner.runDue('delete account');
    expect((await dump()).includes(user.id)).toBe(true);
    const options = { env: testEnvironment() };
    const result = await runInProcess(
      userCommand(keptOpen(api.database)),
      ['erase', '--id', user.id, '--prove'],
      options,
    );
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing mentions') });
    expect(await dump()).not.toContain(user.id);
  });

  test('an erasure of an address without an account removes what mentions it', async () => {
    const email = uniqueEmail();
    await api.send('POST', '/auth/password/forgot', { body: { email } });
    expect(await erase(email, '--prove')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('removed 0 audit events, 0 invitations and 1 jobs'),
    });
  });
});
