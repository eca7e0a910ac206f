import { testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn } from '../../testing/jobs.ts';
import { expectProblem, password, startTestApp, type TestApp, uniqueEmail } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const nobody = '01999999-9999-7999-9999-999999999999';
const status = async (token: string) => (await api.send('GET', '/users/me', { token })).statusCode;

describe('one’s own account', () => {
  const change = (token: string, body: unknown, method = 'PATCH') => api.send(method, '/users/me', { token, body });

  test.each(['PATCH', 'PUT'])('%s /users/me changes only the sent fields', async (method) => {
    const user = await api.signUp({ full_name: 'Before', username: `before-${method}` });
    const response = await change(user.token, { full_name: 'שלום 👋' }, method);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      id: user.id,
      email: user.email,
      username: `before-${method}`,
      full_name: 'שלום 👋',
    });
    expect(
      (await change(user.token, { username: null, full_name: null, current_password: password }, method)).json(),
    ).toMatchObject({
      username: null,
      full_name: null,
    });
    expect((await change(user.token, {}, method)).json()).toMatchObject({ id: user.id, full_name: null });
  });

  test('a new email requires the current password and is not verified', async () => {
    const user = await api.signUp();
    await api.database.system().users.update(user.id, { email_verified_at: new Date() });
    const email = uniqueEmail();
    expectProblem(await change(user.token, { email }), 403, 'wrong_password');
    expectProblem(await change(user.token, { email, current_password: 'not the password' }), 403, 'wrong_password');
    expect((await api.send('GET', '/users/me', { token: user.token })).json()).toMatchObject({
      email: user.email,
      email_verified_at: expect.any(String),
    });
    const response = await change(user.token, { email: ` ${email.toUpperCase()} `, current_password: password });
    expect(response.json()).toMatchObject({ email, email_verified_at: null });
  });

  test('a new username requires the current password and sends a notice', async () => {
    const user = await api.signUp({ username: 'old.name' });
    await api.database.system().users.update(user.id, { email_verified_at: new Date() });
    const body = { username: 'new.name' };
    expectProblem(await change(user.token, body), 403, 'wrong_password');
    expectProblem(await change(user.token, { ...body, current_password: 'not it' }), 403, 'wrong_password');
    expect((await change(user.token, { username: 'old.name' })).statusCode).toBe(200);
    expect((await change(user.token, { ...body, current_password: password })).json()).toMatchObject(body);
    expect((await api.mailsTo(user.email)).at(-1)?.subject).toBe('Your username was changed');
  });

  test('changing an unverified address sends no notice to it', async () => {
    const user = await api.signUp();
    const before = (await api.mailsTo(user.email)).length;
    expect((await change(user.token, { email: uniqueEmail(), current_password: password })).statusCode).toBe(200);
    expect(await api.mailsTo(user.email)).toHaveLength(before);
  });

  test('two concurrent changes of email are both consistent', async () => {
    const user = await api.signUp();
    const emails = [uniqueEmail(), uniqueEmail(), uniqueEmail()];
    const answers = await Promise.all(emails.map((email) => change(user.token, { email, current_password: password })));
    for (const { statusCode } of answers) expect([200, 403]).toContain(statusCode);
    expect(answers.some(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(emails).toContain((await api.send('GET', '/users/me', { token: user.token })).json().email);
  });

  test('re-sending the current email is not a change', async () => {
    const user = await api.signUp();
    await api.database.system().users.update(user.id, { email_verified_at: new Date() });
    const response = await change(user.token, { email: user.email.toUpperCase(), full_name: 'Same' });
    expect(response.json()).toMatchObject({
      email: user.email,
      full_name: 'Same',
      email_verified_at: expect.any(String),
    });
  });

  test('a new password requires the current one and ends all other sessions', async () => {
    const user = await api.signUp();
    const other = await api.login(user.email);
    const body = { password: 'another horse battery', current_password: password };
    expectProblem(await change(user.token, { ...body, current_password: undefined }), 403, 'wrong_password');
    expect((await change(user.token, body)).statusCode).toBe(200);
    expect(await status(user.token)).toBe(200);
    expect(await status(other.access_token)).toBe(401);
    expectProblem(
      await api.send('POST', '/auth/login', { body: { email: user.email, password } }),
      401,
      'invalid_credentials',
    );
    await api.login(user.email, 'another horse battery');
  });

  test('one of two concurrent changes of password succeeds', async () => {
    const user = await api.signUp();
    const bodies = ['the first new one', 'the second new one'].map((secret) => ({
      password: secret,
      current_password: password,
    }));
    const responses = await Promise.all(bodies.map((body) => change(user.token, body)));
    expect(responses.map(({ statusCode }) => statusCode).sort()).toEqual([200, 403]);
  });

  test.each([
    ['a weak password', { password: 'password123', current_password: password }, '/password'],
    ['an invalid email', { email: 'x', current_password: password }, '/email'],
    ['is_admin', { is_admin: true }, '/is_admin'],
    ['is_active', { is_active: true }, '/is_active'],
    ['an id', { id: nobody }, '/id'],
    ['email_verified_at', { email_verified_at: '2026-01-01T00:00:00Z' }, '/email_verified_at'],
  ])('PATCH /users/me rejects %s', async (_, body, pointer) => {
    const { token } = await api.signUp();
    const { errors } = expectProblem(await change(token, body), 422, 'validation_failed');
    expect(errors?.[0]?.pointer).toBe(pointer);
  });

  test('a taken email or username answers 409 in any case', async () => {
    const other = await api.signUp({ username: 'Somebody' });
    const user = await api.signUp();
    const email = other.email.toUpperCase();
    expectProblem(await change(user.token, { email, current_password: password }), 409, 'email_taken');
    expectProblem(
      await change(user.token, { username: 'SOMEBODY', current_password: password }),
      409,
      'username_taken',
    );
  });

  test('deleting an account requires the password and deletes all its data', async () => {
    const user = await api.signUp();
    await api.send('POST', '/users/me/tasks', { token: user.token, body: { title: 'Gone soon' } });
    await api.send('PUT', '/users/me/preferences', { token: user.token, body: {} });
    expectProblem(await api.send('DELETE', '/users/me', { token: user.token, body: {} }), 403, 'wrong_password');
    expectProblem(
      await api.send('DELETE', '/users/me', { token: user.token, body: { current_password: 'wrong' } }),
      403,
      'wrong_password',
    );
    const response = await api.send('DELETE', '/users/me', { token: user.token, body: { current_password: password } });
    expect([response.statusCode, response.body]).toEqual([204, '']);
    expect(await status(user.token)).toBe(401);
    expectProblem(
      await api.send('POST', '/auth/login', { body: { username: user.email, password } }),
      401,
      'invalid_credentials',
    );
    await api.app.runner.runDue('delete account');
    const left = await api.database.inspect((connection) =>
      connection.query(
        `select 'tasks' from tasks where user_id = $1 union all select 'sessions' from user_sessions where user_id = $1
         union all select 'preferences' from user_preferences where user_id = $1
         union all select 'account' from users where id = $1`,
        [user.id],
      ),
    );
    expect(left.rows).toEqual([]);
    await api.register({ email: user.email });
  });

  test('a deleted account cannot be seen or used before its rows are deleted, and its email is free', async () => {
    const [user, admin] = [await api.signUp({ username: 'leaves' }), await api.signUpAdmin()];
    expect((await api.send('DELETE', `/users/${user.id}`, { token: admin.token })).statusCode).toBe(204);
    expectProblem(await api.send('DELETE', `/users/${user.id}`, { token: admin.token }), 404, 'not_found');
    expectProblem(await api.send('GET', `/users/${user.id}`, { token: admin.token }), 404, 'not_found');
    expectProblem(await api.send('PATCH', `/users/${user.id}`, { token: admin.token, body: {} }), 404, 'not_found');
    expectProblem(
      await api.send('POST', '/auth/refresh', { body: { refresh_token: user.refreshToken } }),
      401,
      'invalid_token',
    );
    const listed = (await api.send('GET', '/users?is_active=false&limit=200', { token: admin.token })).json();
    expect(listed.items.map(({ id }: { id: string }) => id)).not.toContain(user.id);
    expect((await api.register({ email: user.email, username: 'leaves' })).id).not.toBe(user.id);
  });

  test('the rows of a deleted account are deleted in batches, whatever their tables', async () => {
    const user = await api.signUp();
    await api.database.maintain((connection) =>
      connection.query(
        `insert into tasks (id, user_id, title) select gen_random_uuid(), $1, 'x' from generate_series(1, 2500)`,
        [user.id],
      ),
    );
    await api.send('DELETE', '/users/me', { token: user.token, body: { current_password: password } });
    const { deletedAccounts } = api.database.system();
    expect((await deletedAccounts.dependentTables()).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['documents', 'idempotency_keys', 'tasks', 'user_preferences', 'user_sessions']),
    );
    expect(await deletedAccounts.deleteRows({ name: 'tasks', column: 'user_id' }, user.id, 1_000)).toBe(1_000);
    await api.app.runner.runDue('delete account');
    expect(await api.database.system().users.find(user.id)).toBeUndefined();
    expect((await jobsIn(api.database)).filter(({ name }) => name === 'delete-account')).toEqual([]);
  });

  test.runIf(testServerUrl)('deleting an account that is no admin does not wait for the admins', async () => {
    const [user, admin] = [await api.signUp(), await api.signUpAdmin()];
    await api.database.maintain(async (holder) => {
      await holder.execute('begin');
      await holder.query('select from users where id = $1 for no key update', [admin.id]);
      const body = { current_password: password };
      expect((await api.send('DELETE', '/users/me', { token: user.token, body })).statusCode).toBe(204);
      await holder.execute('rollback');
    });
  });

  test('a password that is replaced while it is verified deletes no account', async () => {
    const user = await api.signUp();
    const { passwords } = api.app.services;
    const { verify } = passwords;
    passwords.verify = async (...call) => {
      const isRight = await verify(...call);
      await api.database.system().users.update(user.id, { password_hash: 'replaced' });
      return isRight;
    };
    try {
      const body = { current_password: password };
      expectProblem(await api.send('DELETE', '/users/me', { token: user.token, body }), 403, 'wrong_password');
    } finally {
      passwords.verify = verify;
    }
    expect(await api.database.system().users.find(user.id)).toBeDefined();
  });
});

describe('administration', () => {
  let admin: Awaited<ReturnType<TestApp['signUpAdmin']>>;
  beforeEach(async () => {
    admin = await api.signUpAdmin();
  });
  const asAdmin = (method: string, path: string, body?: unknown) =>
    api.send(method, path, { token: admin.token, body });

  test('admins need a recent sign-in or their password for sensitive changes', async () => {
    const own = await startTestApp();
    try {
      const { token } = await own.signUpAdmin();
      const user = await own.signUp();
      const set = (body: object) => own.send('PATCH', `/users/${user.id}`, { token, body });
      expect((await set({ is_admin: true })).statusCode).toBe(200);
      own.clock.advance(601);
      for (const body of [{ is_admin: false }, { email: uniqueEmail() }, { password: 'another horse battery' }]) {
        expectProblem(await set(body), 403, 'wrong_password');
        expectProblem(await set({ ...body, current_password: 'not the password' }), 403, 'wrong_password');
      }
      expect((await own.database.system().users.find(user.id))?.is_admin).toBe(true);
      expect((await set({ full_name: 'Ada', is_active: true, is_admin: true })).statusCode).toBe(200);
      expect((await set({ is_admin: false, current_password: password })).statusCode).toBe(200);
      const create = (body: object) =>
        own.send('POST', '/users', { token, body: { email: uniqueEmail(), password, ...body } });
      expect((await create({})).statusCode).toBe(201);
      expectProblem(await create({ is_admin: true }), 403, 'wrong_password');
      expect((await create({ is_admin: true, current_password: password })).statusCode).toBe(201);
    } finally {
      await own.close();
    }
  });

  test('admin routes answer 403 to non-admins for any id and body', async () => {
    const user = await api.signUp();
    const requests: [string, string, unknown?][] = [
      ['GET', '/users'],
      ['GET', '/users?limit=0'],
      ['POST', '/users', { email: uniqueEmail(), password }],
      ['POST', '/users', { nonsense: true }],
      ...[user.id, nobody, 'not-a-uuid'].flatMap((id): [string, string, unknown?][] => [
        ['GET', `/users/${id}`],
        ['PATCH', `/users/${id}`, { is_admin: true }],
        ['PUT', `/users/${id}`, { is_admin: true }],
        ['DELETE', `/users/${id}`],
      ]),
    ];
    for (const [method, path, body] of requests) {
      expectProblem(await api.send(method, path, { token: user.token, body }), 403, 'forbidden');
      expectProblem(await api.send(method, path, { body }), 401, 'missing_token');
    }
  });

  test('admins create accounts, also admins and inactive ones', async () => {
    const email = uniqueEmail();
    const response = await asAdmin('POST', '/users', {
      email,
      password,
      is_admin: true,
      is_active: false,
      full_name: 'Made',
    });
    expect(response.statusCode).toBe(201);
    expect(response.headers.location).toBe(`/api/v1/users/${response.json().id}`);
    expect(response.json()).toMatchObject({ email, is_admin: true, is_active: false, full_name: 'Made' });
    expectProblem(await asAdmin('POST', '/users', { email: email.toUpperCase(), password }), 409, 'email_taken');
    expectProblem(
      await asAdmin('POST', '/users', { email: uniqueEmail(), password: 'password123' }),
      422,
      'validation_failed',
    );
    expectProblem(
      await asAdmin('POST', '/users', { email: uniqueEmail(), password, created_at: 'x' }),
      422,
      'validation_failed',
    );
  });

  test('admins read and change any account', async () => {
    const user = await api.signUp();
    expect((await asAdmin('GET', `/users/${user.id}`)).json()).toMatchObject({ id: user.id, email: user.email });
    expect((await asAdmin('GET', `/users/${user.id.toUpperCase()}`)).statusCode).toBe(200);
    for (const method of ['PATCH', 'PUT']) {
      const response = await asAdmin(method, `/users/${user.id}`, { full_name: method, email: user.email });
      expect(response.json()).toMatchObject({ full_name: method, email: user.email });
    }
    expect((await asAdmin('PATCH', `/users/${user.id}`, {})).statusCode).toBe(200);
    const other = await api.register({ username: 'taken-name' });
    expectProblem(await asAdmin('PATCH', `/users/${user.id}`, { email: other.email }), 409, 'email_taken');
    expectProblem(await asAdmin('PATCH', `/users/${user.id}`, { username: 'Taken-Name' }), 409, 'username_taken');
    expectProblem(await asAdmin('PATCH', `/users/${user.id}`, { password: user.email }), 422, 'validation_failed');
  });

  test('an unknown account answers 404, a malformed id 422', async () => {
    for (const [method, body] of [['GET'], ['PATCH', {}], ['PUT', { full_name: 'x' }], ['DELETE']] as [
      string,
      unknown?,
    ][]) {
      expectProblem(await asAdmin(method, `/users/${nobody}`, body), 404, 'not_found');
      expectProblem(await asAdmin(method, '/users/not-a-uuid', body), 422, 'validation_failed');
    }
  });

  test('deactivation and a new password end the user’s sessions', async () => {
    const user = await api.signUp();
    await asAdmin('PATCH', `/users/${user.id}`, { is_active: false });
    expect(await status(user.token)).toBe(401);
    await asAdmin('PATCH', `/users/${user.id}`, { is_active: true });
    expect(await status(user.token)).toBe(401);
    const again = await api.login(user.email);
    await asAdmin('PATCH', `/users/${user.id}`, { password: 'set by an administrator' });
    expect(await status(again.access_token)).toBe(401);
    await api.login(user.email, 'set by an administrator');
  });

  test('admins delete other accounts, but not their own here', async () => {
    const user = await api.signUp();
    expectProblem(await asAdmin('DELETE', `/users/${admin.id}`), 409, 'cannot_delete_self');
    expect((await asAdmin('DELETE', `/users/${user.id}`)).statusCode).toBe(204);
    expect(await status(user.token)).toBe(401);
    expectProblem(await asAdmin('DELETE', `/users/${user.id}`), 404, 'not_found');
  });
});

describe('the last active admin', () => {
  let own: TestApp;
  beforeAll(async () => {
    own = await startTestApp();
  });
  afterAll(() => own.close());

  test('the last active admin cannot be deleted, demoted or deactivated', async () => {
    const admin = await own.signUpAdmin();
    const inactive = await own.signUpAdmin();
    await own.database.system().users.update(inactive.id, { is_active: false });
    const send = (method: string, path: string, body?: unknown) => own.send(method, path, { token: admin.token, body });
    expectProblem(await send('PATCH', `/users/${admin.id}`, { is_admin: false }), 409, 'last_admin');
    expectProblem(await send('PATCH', `/users/${admin.id}`, { is_active: false }), 409, 'last_admin');
    expectProblem(await send('DELETE', '/users/me', { current_password: password }), 409, 'last_admin');
    expect((await send('PATCH', `/users/${admin.id}`, { is_admin: true, is_active: true })).statusCode).toBe(200);
    await own.database.system().deletedAccounts.mark(inactive.id, new Date());
  });

  test('if two admins demote each other concurrently, one stays', async () => {
    for (let round = 0; round < 5; round++) {
      const { rows } = await own.database.inspect((connection) =>
        connection.query<{ id: string }>('select id from users where is_admin'),
      );
      for (const { id } of rows) await own.database.system().deletedAccounts.mark(id, new Date());
      const [one, other] = [await own.signUpAdmin(), await own.signUpAdmin()];
      const demote = (by: typeof one, whom: typeof one) =>
        own.send('PATCH', `/users/${whom.id}`, { token: by.token, body: { is_admin: false } });
      const responses = await Promise.all([demote(one, other), demote(other, one)]);
      const left = await own.database.system().users.lockActiveAdmins();
      expect(left).toHaveLength(1);
      expect(responses.map(({ statusCode }) => statusCode)).toContain(200);
    }
  });
});

describe('the list of users', () => {
  let own: TestApp;
  let token: string;
  beforeAll(async () => {
    own = await startTestApp();
    token = (await own.signUpAdmin()).token;
    for (let n = 1; n <= 7; n++) await own.register({ email: `user_${n}@list.example.com` });
  });
  afterAll(() => own.close());
  const list = async (query: string) => (await own.send('GET', `/users?${query}`, { token })).json();
  const emails = (page: { items: { email: string }[] }) => page.items.map(({ email }) => email);

  test('the user list is paged, newest first', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(`limit=3&email=list.example${cursor && `&cursor=${cursor}`}`);
      expect(page.items.length).toBeLessThanOrEqual(3);
      expect(page.items[0]).not.toHaveProperty('password_hash');
      seen.push(...emails(page));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1].map((n) => `user_${n}@list.example.com`));
  });

  test('the user list filters by email, activation and role, without wildcards', async () => {
    expect(emails(await list('email=USER_3@'))).toEqual(['user_3@list.example.com']);
    expect(emails(await list('email=user%25'))).toEqual([]);
    expect((await list('email=user_')).items).toHaveLength(7);
    expect((await list('is_admin=true')).items).toHaveLength(1);
    expect((await list('is_admin=false')).items).toHaveLength(7);
    expect((await list('is_active=false')).items).toHaveLength(0);
  });

  test('the user list supports skip', async () => {
    expect(emails(await list('skip=6&email=list.example'))).toEqual(['user_1@list.example.com']);
    expect(emails(await list('skip=100'))).toEqual([]);
  });

  test.each([
    ['a limit of 0', 'limit=0', '/limit'],
    ['a limit of 201', 'limit=201', '/limit'],
    ['a limit that is no number', 'limit=many', '/limit'],
    ['two limits', 'limit=1&limit=2', '/limit'],
    ['a negative skip', 'skip=-1', '/skip'],
    ['a cursor that nobody made', 'cursor=abc', '/cursor'],
    ['an empty cursor', 'cursor=', '/cursor'],
    ['is_active=maybe', 'is_active=maybe', '/is_active'],
    ['a filter that nobody knows', 'name=x', '/name'],
    ['a NUL', 'email=%00', '/email'],
  ])('PATCH /users/me rejects %s', async (_, query, pointer) => {
    const { errors } = expectProblem(await own.send('GET', `/users?${query}`, { token }), 422, 'validation_failed');
    expect(errors?.[0]).toMatchObject({ in: 'query', pointer });
  });
});
