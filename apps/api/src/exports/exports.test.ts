import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

type User = Awaited<ReturnType<TestApp['signUp']>>;
const request = async ({ token }: User) => {
  const response = await api.send('POST', '/users/me/exports', { token });
  expect(response.statusCode).toBe(202);
  return response.json() as { id: string; state: string };
};
const download = ({ token }: User, id: string) => api.send('GET', `/users/me/exports/${id}`, { token });
const run = () => api.app.runner.runDue('export account');

describe('an export', () => {
  test('an export contains every row of the user and no secret', async () => {
    const [user, other] = [await api.signUp({ full_name: 'Ada' }), await api.signUp()];
    await api.send('POST', '/users/me/tasks', { token: user.token, body: { title: 'My task' } });
    await api.send('POST', '/users/me/documents', { token: user.token, body: { title: 'T', content: 'My text' } });
    await api.send('PUT', '/users/me/preferences', { token: user.token, body: { theme: 'dark' } });
    await api.send('POST', '/users/me/tasks', { token: other.token, body: { title: 'Their task' } });
    const { id, state } = await request(user);
    expect(state).toBe('pending');
    const early = await download(user, id);
    expect([early.statusCode, early.json().state, early.headers['retry-after']]).toEqual([202, 'pending', '5']);

    await run();
    const archive = await download(user, id);
    expect(archive.statusCode).toBe(200);
    expect(archive.headers['content-disposition']).toContain('attachment');
    const { user_id, tables } = archive.json();
    expect(user_id).toBe(user.id);
    expect(tables.users).toMatchObject([{ id: user.id, email: user.email, full_name: 'Ada' }]);
    expect(tables.tasks).toMatchObject([{ title: 'My task' }]);
    expect(tables.documents).toMatchObject([{ content: 'My text' }]);
    expect(tables.user_preferences).toMatchObject([{ theme: 'dark' }]);
    expect(tables.user_sessions).toHaveLength(1);
    expect(tables.audit_events.map(({ action }: { action: string }) => action)).toContain('export_requested');
    expect(archive.body).not.toContain('Their task');
    const rows = Object.values(tables).flat() as Record<string, unknown>[];
    for (const column of ['password_hash', 'token_secret', 'token_hash', 'embedding', 'search'])
      expect([column, rows.some((row) => column in row)]).toEqual([column, false]);
  });

  test('an export of many rows has each row once', async () => {
    const user = await api.signUp();
    const titles = Array.from({ length: 1_234 }, (_, n) => `Task ${n}`);
    await api.database.execute(
      `insert into tasks (user_id, id, title) select '${user.id}', gen_random_uuid(), 'Task ' || n from generate_series(0, 1233) n`,
    );
    const { id } = await request(user);
    await run();
    const { tables } = (await download(user, id)).json();
    const found = tables.tasks.map(({ title }: { title: string }) => title);
    expect(found).toHaveLength(titles.length);
    expect(new Set(found)).toEqual(new Set(titles));
  });

  test('an export of large rows has parts of bounded size', async () => {
    const user = await api.signUp();
    await api.database.execute(
      `insert into documents (user_id, id, title, content) select '${user.id}', gen_random_uuid(), 'T' || n, repeat('x', 200000) from generate_series(1, 30) n`,
    );
    const { id } = await request(user);
    await run();
    const [sizes] = await api.database.execute(
      `select max(octet_length(content))::int as largest, count(*)::int as parts from account_export_parts where export_id = '${id}' and table_name = 'documents'`,
    );
    expect(sizes?.rows[0]?.largest).toBeLessThan(1_300_000);
    expect(sizes?.rows[0]?.parts).toBeGreaterThan(4);
    expect((await download(user, id)).json().tables.documents).toHaveLength(30);
  });

  test('a job that is repeated after the archive is complete leaves it as it is', async () => {
    const user = await api.signUp();
    const { id } = await request(user);
    await run();
    const before = (await download(user, id)).body;
    await api.database.system().jobs.enqueue([
      {
        name: 'export-account',
        policy: 'singleton',
        data: { export_id: id },
        user_id: user.id,
        concurrency_key: user.id,
        priority: 0,
        retry_limit: 1,
        retry_delay: 1,
        retry_delay_max: 1,
        expire_seconds: 60,
        heartbeat_seconds: 60,
        deletion_seconds: 60,
      },
    ]);
    await run();
    expect((await download(user, id)).body).toBe(before);
  });

  test('an export that failed half-way starts again', async () => {
    const user = await api.signUp();
    const { id } = await request(user);
    await api.database.execute(
      `insert into account_export_parts (user_id, export_id, attempt_id, number, table_name, content) values ('${user.id}', '${id}', '${id}', 0, 'users', '{"left": "over"}')`,
    );
    await run();
    expect((await download(user, id)).body).not.toContain('left');
  });

  test('the user gets a mail with a link when the archive is complete', async () => {
    const user = await api.signUp();
    const { id } = await request(user);
    await run();
    const ready = (await api.mailsTo(user.email)).find(({ subject }) => subject === 'Your data is ready');
    expect(ready?.link).toMatch(new RegExp(`/export\\?id=${id}$`));
  });

  test('returns 404 for the export of another user, and after a week', async () => {
    const [user, other] = [await api.signUp(), await api.signUp()];
    const { id } = await request(user);
    await run();
    expectProblem(await download(other, id), 404, 'not_found');
    api.clock.advance(7 * 86_400 - 60);
    const again = await api.login(user.email);
    expect((await download({ ...user, token: again.access_token }, id)).statusCode).toBe(200);
    api.clock.advance(120);
    expectProblem(await download({ ...user, token: again.access_token }, id), 404, 'not_found');
    expect(await api.app.services.exports.deleteExpired()).toBeGreaterThan(0);
    const [parts] = await api.database.execute(`select from account_export_parts where export_id = '${id}'`);
    expect(parts?.rows).toEqual([]);
  });

  test('an export shows what an admin did, but not from where', async () => {
    const [user, admin] = [await api.signUp(), await api.signUpAdmin()];
    const body = { full_name: 'Renamed', current_password: password };
    const headers = { 'user-agent': 'AdminBrowser/1.0' };
    expect((await api.send('PATCH', `/users/${user.id}`, { token: admin.token, body, headers })).statusCode).toBe(200);
    const { id } = await request(user);
    await run();
    const archive = await download(user, id);
    expect(archive.body).toContain('account_changed');
    expect(archive.body).not.toContain('AdminBrowser');
  });

  test('requesting an export needs a recent sign-in', async () => {
    const user = await api.signUp();
    api.clock.advance(700);
    expectProblem(await api.send('POST', '/users/me/exports', { token: user.token }), 401, 'step_up_required');
  });

  test('columns with bytes are left out of exports, except those that are no secret', async () => {
    const [found] = await api.database.execute(
      `select c.relname || '.' || a.attname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.atttypid = 'bytea'::regtype
         and coalesce(col_description(c.oid, a.attnum), '') not like '%Left out of exports.' order by 1`,
    );
    expect(found?.rows.map(({ name }) => name)).toEqual([
      'passkeys.credential_id',
      'passkeys.public_key',
      'users.webauthn_handle',
    ]);
  });
});
