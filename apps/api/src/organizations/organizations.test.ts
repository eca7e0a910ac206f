import { newId } from '@quoin/db';
import { keptOpen, runInProcess } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, password, startTestApp, type TestApp, testEnvironment } from '../../testing/test-app.ts';
import { userCommand } from '../commands/user.ts';

let api: TestApp;
type User = Awaited<ReturnType<TestApp['signUpVerified']>>;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

const send = (method: string, path: string, user?: { token: string }, body?: unknown, headers = {}) =>
  api.send(method, path, { ...(user && { token: user.token }), body, headers });
const invite = (path: string, inviter: User, email: string, role = 'member') =>
  send('POST', `${path}/invitations`, inviter, { email, role });
const accept = async (user: User, token?: string) =>
  send('POST', '/invitations/accept', user, { token: token ?? (await api.tokenFor('accept-invitation', user.email)) });
const eventsOf = async (path: string, user: User) =>
  ((await send('GET', `${path}/audit-events`, user)).json() as { items: { action: string }[] }).items;

describe('organizations', () => {
  test('the creator of an organization is its owner, and finds it in the list', async () => {
    const owner = await api.signUp();
    const slug = `masons-${newId()}`;
    const created = await send('POST', '/organizations', owner, { name: 'The Masons', slug });
    const organization = created.json();
    expect([created.statusCode, created.headers.location]).toEqual([201, `/api/v1/organizations/${organization.id}`]);
    expect(organization).toMatchObject({ name: 'The Masons', slug, role: 'owner' });
    expect((await send('GET', `/organizations/${organization.id}`, owner)).json()).toEqual(organization);
    expect((await send('GET', '/organizations', owner)).json().items).toEqual([organization]);
    expect((await send('GET', '/organizations', await api.signUp())).json().items).toEqual([]);
    expectProblem(await send('POST', '/organizations', owner, { name: 'Others', slug }), 409, 'already_exists');
  });

  test.each<[string, object]>([
    ['a blank name', { name: ' ' }],
    ['a name with a line break', { name: 'a\nb' }],
    ['a name with a NUL', { name: 'a\0b' }],
    ['a name of 101 characters', { name: 'x'.repeat(101) }],
    ['a slug with capitals', { name: 'x', slug: 'Masons' }],
    ['an owner', { name: 'x', owner_id: newId() }],
  ])('creating an organization answers 422 for %s', async (_, body) => {
    expectProblem(await send('POST', '/organizations', await api.signUp(), body), 422, 'validation_failed');
  });

  test('admins change an organization, with the version that they have read', async () => {
    const { path, admin } = await api.newOrganization();
    const { etag } = (await send('GET', path, admin)).headers;
    const change = () => send('PATCH', path, admin, { name: 'The Master Masons' }, { 'if-match': etag });
    expect((await change()).json()).toMatchObject({ name: 'The Master Masons', role: 'admin' });
    expectProblem(await change(), 412, 'precondition_failed');
  });

  test('a new role of the caller changes the ETag, so that no cache answers with the old one', async () => {
    const { path, owner, member } = await api.newOrganization();
    const { etag } = (await send('GET', path, member)).headers;
    const again = () => send('GET', path, member, undefined, { 'if-none-match': etag });
    expect((await again()).statusCode).toBe(304);
    await send('PATCH', `${path}/members/${member.id}`, owner, { role: 'admin' });
    expect((await again()).json()).toMatchObject({ role: 'admin' });
  });

  test('a deleted organization is gone for all its members at once, and its rows are deleted', async () => {
    const { id, path, owner, admin, member } = await api.newOrganization();
    await send('POST', `${path}/documents`, member, { title: 'Plan', content: 'Of the wall.' });
    expect((await send('DELETE', path, owner)).statusCode).toBe(204);
    for (const user of [owner, admin, member]) {
      expectProblem(await send('GET', path, user), 404, 'not_found');
      expect((await send('GET', '/organizations', user)).json().items).toEqual([]);
    }
    await api.app.runner.runDue('delete organization');
    const { rows } = await api.database.inspect(({ query }) =>
      query(
        `select id from organizations where id = $1 union all select id from organization_documents where organization_id = $1`,
        [id],
      ),
    );
    expect(rows).toEqual([]);
  });
});

describe('the deletion of an organization', () => {
  test('is enqueued again if its job was discarded', async () => {
    const { id, path, owner } = await api.newOrganization();
    expect((await send('DELETE', path, owner)).statusCode).toBe(204);
    await api.database.execute(`delete from pgboss.job where name = 'delete-organization'`);
    await api.database.inspect(({ query }) =>
      query(`update organizations set deleted_at = deleted_at - interval '2 days' where id = $1`, [id]),
    );
    expect(await api.app.services.organizationDeletion.enqueueOverdue()).toBe(1);
    await api.app.runner.runDue('delete organization');
    const { rows } = await api.database.inspect(({ query }) =>
      query('select id from organizations where id = $1', [id]),
    );
    expect(rows).toEqual([]);
  });
});

describe('npm run user -- set-role', () => {
  const setRole = (email: string, organization: string, role: string) =>
    runInProcess(
      userCommand(keptOpen(api.database)),
      ['set-role', '--email', email, '--organization', organization, '--role', role],
      { env: testEnvironment() },
    );

  test('set-role gives a member another role, with an audit event', async () => {
    const { id, path, owner, member } = await api.newOrganization();
    expect(await setRole(member.email, id, 'owner')).toMatchObject({
      code: 0,
      stdout: `${member.email} is owner of ${id}\n`,
    });
    expect((await send('GET', path, member)).json()).toMatchObject({ role: 'owner' });
    expect((await eventsOf(path, owner))[0]).toMatchObject({
      action: 'member_role_changed',
      user_id: member.id,
      actor_id: null,
      details: { from: 'member', to: 'owner' },
    });
  });

  test('set-role refuses users who are not members, the last owner, and unknown roles', async () => {
    const { id, path, owner } = await api.newOrganization();
    const stranger = await api.signUp();
    expect((await setRole(stranger.email, id, 'member')).stderr).toContain('is not a member');
    expect((await setRole(owner.email, id, 'member')).stderr).toContain('needs an owner');
    expect((await setRole(owner.email, id, 'boss')).code).toBe(2);
    expect((await send('GET', path, owner)).json()).toMatchObject({ role: 'owner' });
  });
});

describe('who may do what in an organization', () => {
  const statuses: [request: string, body: object | undefined, byRole: Record<string, number>][] = [
    ['GET ', undefined, { guest: 401, stranger: 404, member: 200, admin: 200, owner: 200 }],
    ['PATCH ', {}, { guest: 401, stranger: 404, member: 403, admin: 200, owner: 200 }],
    ['GET /members', undefined, { guest: 401, stranger: 404, member: 200, admin: 200, owner: 200 }],
    ['PATCH /members/MEMBER', { role: 'member' }, { guest: 401, stranger: 404, member: 403, admin: 200, owner: 200 }],
    ['PATCH /members/MEMBER', { role: 'owner' }, { guest: 401, stranger: 404, member: 403, admin: 403 }],
    ['PATCH /members/OWNER', { role: 'member' }, { guest: 401, stranger: 404, member: 403, admin: 403, owner: 409 }],
    ['DELETE /members/OWNER', undefined, { guest: 401, stranger: 404, member: 403, admin: 403, owner: 409 }],
    ['DELETE /members/MISSING', undefined, { guest: 401, stranger: 404, member: 404, admin: 404, owner: 404 }],
    ['GET /invitations', undefined, { guest: 401, stranger: 404, member: 403, admin: 200, owner: 200 }],
    ['POST /invitations', { role: 'member' }, { guest: 401, stranger: 404, member: 403, admin: 201, owner: 201 }],
    ['POST /invitations', { role: 'owner' }, { guest: 401, stranger: 404, member: 403, admin: 403, owner: 201 }],
    ['DELETE /invitations/MISSING', undefined, { guest: 401, stranger: 404, member: 403, admin: 404, owner: 404 }],
    ['GET /audit-events', undefined, { guest: 401, stranger: 404, member: 403, admin: 200, owner: 200 }],
    ['GET /api-keys', undefined, { guest: 401, stranger: 404, member: 403, admin: 200, owner: 200 }],
    ['GET /documents', undefined, { guest: 401, stranger: 404, member: 200, admin: 200, owner: 200 }],
    ['GET /documents/MISSING', undefined, { guest: 401, stranger: 404, member: 404, admin: 404, owner: 404 }],
    ['DELETE ', undefined, { guest: 401, stranger: 404, member: 403, admin: 403, owner: 204 }],
  ];

  test('an unknown method answers 405, to members and to strangers', async () => {
    const [mine, theirs] = [await api.newOrganization(), await api.newOrganization()];
    for (const user of [mine.owner, theirs.owner])
      for (const path of [mine.path, `${mine.path}/members`])
        expectProblem(await send('PUT', path, user, {}), 405, 'method_not_allowed');
  });

  test('each request answers each role as the matrix says, and strangers get 404 whatever they send', async () => {
    const organization = await api.newOrganization();
    const { owner, admin, member } = organization;
    const callers: Record<string, User | undefined> = { owner, admin, member, stranger: await api.signUp() };
    const wrong: string[] = [];
    for (const [request, body, byRole] of statuses) {
      const [method = '', rest = ''] = request.split(' ');
      const path = `${organization.path}${rest
        .replace('MEMBER', organization.member.id)
        .replace('OWNER', organization.owner.id)
        .replace('MISSING', newId())}`;
      for (const [role, expected] of Object.entries(byRole)) {
        const complete = rest === '/invitations' && body ? { ...body, email: `${newId()}@example.com` } : body;
        const { statusCode } = await send(method, path, callers[role], complete);
        if (statusCode !== expected) wrong.push(`${role}: ${request} answers ${statusCode}, not ${expected}`);
        if (role !== 'stranger' || !body) continue;
        const invalid = await send(method, path, callers[role], { unknown: true });
        if (invalid.statusCode !== 404) wrong.push(`${role}: ${request} with an invalid body: ${invalid.statusCode}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('an organization of others and a missing one answer the same bytes, to admins of the server too', async () => {
    const { id } = await api.newOrganization();
    const missing = newId();
    const headers = { 'x-request-id': 'the-same' };
    for (const user of [await api.signUp(), await api.signUpAdmin()]) {
      const [theirs, none] = [
        await send('GET', `/organizations/${id}`, user, undefined, headers),
        await send('GET', `/organizations/${missing}`, user, undefined, headers),
      ];
      expect(theirs.statusCode).toBe(404);
      expect(theirs.body.replaceAll(id, missing)).toBe(none.body);
    }
  });

  test('a rejected change of a role changes nothing and leaves no event', async () => {
    const { path, owner, admin, member } = await api.newOrganization();
    const before = await eventsOf(path, owner);
    expectProblem(await send('PATCH', `${path}/members/${member.id}`, admin, { role: 'owner' }), 403, 'forbidden');
    expectProblem(await send('PATCH', `${path}/members/${owner.id}`, owner, { role: 'admin' }), 409, 'last_owner');
    const { items } = (await send('GET', `${path}/members`, owner)).json() as {
      items: { user_id: string; role: string }[];
    };
    expect(Object.fromEntries(items.map(({ user_id, role }) => [user_id, role]))).toEqual({
      [owner.id]: 'owner',
      [admin.id]: 'admin',
      [member.id]: 'member',
    });
    expect(await eventsOf(path, owner)).toEqual(before);
  });

  test('admins of an organization read who did what, and its members do not', async () => {
    const { path, owner, admin, member } = await api.newOrganization();
    await send('PATCH', `${path}/members/${member.id}`, owner, { role: 'admin' });
    await send('DELETE', `${path}/members/${member.id}`, admin);
    const events = await eventsOf(path, admin);
    expect(events.slice(0, 2)).toEqual([
      expect.objectContaining({
        action: 'member_removed',
        user_id: member.id,
        actor_id: admin.id,
        details: { role: 'admin' },
      }),
      expect.objectContaining({ action: 'member_role_changed', details: { from: 'member', to: 'admin' } }),
    ]);
    expect(events.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['organization_created', 'invitation_created', 'invitation_accepted']),
    );
    expect(Object.keys(events[0] ?? {})).not.toContain('ip_address');
  });
});

describe('the last owner', () => {
  test('if the two owners of an organization leave at once, one gets 409', async () => {
    const { path, owner, admin } = await api.newOrganization();
    await send('PATCH', `${path}/members/${admin.id}`, owner, { role: 'owner' });
    const answers = await Promise.all([owner, admin].map((user) => send('DELETE', `${path}/members/me`, user)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([204, 409]);
  });

  test('the last owner of an organization with other members cannot delete the account, until another one is an owner', async () => {
    const { path, owner, admin } = await api.newOrganization();
    const remove = () => send('DELETE', '/users/me', owner, { current_password: password });
    expectProblem(await remove(), 409, 'last_owner');
    expectProblem(await send('POST', '/users/me/deletion', owner, {}), 409, 'last_owner');
    expect((await send('GET', path, owner)).statusCode).toBe(200);
    await send('PATCH', `${path}/members/${admin.id}`, owner, { role: 'owner' });
    expect((await remove()).statusCode).toBe(204);
    expect((await send('GET', path, admin)).statusCode).toBe(200);
  });

  test('deleting the account of a sole member deletes the organization', async () => {
    const owner = await api.signUp();
    const { id } = (await send('POST', '/organizations', owner, { name: 'Alone' })).json();
    expect((await send('DELETE', '/users/me', owner, { current_password: password })).statusCode).toBe(204);
    await api.app.runner.runDue('delete organization');
    const { rows } = await api.database.inspect(({ query }) =>
      query('select id from organizations where id = $1', [id]),
    );
    expect(rows).toEqual([]);
  });
});

describe('leaving an organization', () => {
  test('a former member loses access with the next request: to rows, with API keys and by invitations', async () => {
    const { path, owner, admin } = await api.newOrganization();
    const key = (await send('POST', `${path}/api-keys`, admin, { name: 'x', scopes: ['documents:read'] })).json();
    const withKey = { token: key.key as string };
    expect((await send('GET', `${path}/documents`, withKey)).statusCode).toBe(200);
    const guest = await api.signUpVerified();
    await invite(path, admin, guest.email);
    const token = await api.tokenFor('accept-invitation', guest.email);
    const idempotent = { 'idempotency-key': newId() };
    const document = { title: 'Plan', content: 'Of the wall.' };
    expect((await send('POST', `${path}/documents`, admin, document, idempotent)).statusCode).toBe(201);

    expect((await send('DELETE', `${path}/members/${admin.id}`, owner)).statusCode).toBe(204);
    expectProblem(await send('GET', `${path}/documents`, admin), 404, 'not_found');
    expectProblem(await send('POST', `${path}/documents`, admin, document, idempotent), 404, 'not_found');
    expectProblem(await send('GET', `${path}/documents`, withKey), 401, 'invalid_token');
    expectProblem(await accept(guest, token), 422, 'validation_failed');
    expect((await send('GET', `${path}/invitations`, owner)).json().items).toEqual([]);
  });

  test('ending a membership hides rows from a unit of work that began before', async () => {
    const { id, owner, member } = await api.newOrganization();
    const scope = { ...scopeOfMember(member.id), owner: { organizationId: id } };
    const unit = api.database.as(scope);
    await unit.documents.create([
      { id: newId(), title: 'Plan', content: 'Of the wall.', metadata: {}, embedding: null },
    ]);
    expect((await unit.documents.list({ limit: 10 }, 1e6)).rows).toHaveLength(1);
    await send('DELETE', `/organizations/${id}/members/${member.id}`, owner);
    expect((await unit.documents.list({ limit: 10 }, 1e6)).rows).toEqual([]);
    await expect(
      unit.documents.create([{ id: newId(), title: 'x', content: 'x', metadata: {}, embedding: null }]),
    ).rejects.toThrow(/row-level security/);
  });
});

describe('invitations', () => {
  test('only the account with the verified invited address can accept, and only once', async () => {
    const { path, admin } = await api.newOrganization();
    const [invited, thief] = [await api.signUp(), await api.signUpVerified()];
    expect((await invite(path, admin, invited.email.toUpperCase())).json()).toMatchObject({ email: invited.email });
    const token = await api.tokenFor('accept-invitation', invited.email);
    expectProblem(await accept(thief, token), 403, 'forbidden');
    expectProblem(await accept(invited, token), 403, 'forbidden');
    await api.database.system().users.update(invited.id, { email_verified_at: new Date() });
    expect((await accept(invited, token)).json()).toMatchObject({ role: 'member' });
    expectProblem(await accept(invited, token), 422, 'validation_failed');
    expectProblem(await send('GET', path, thief), 404, 'not_found');
  });

  test('of 20 requests at once that accept one invitation, one succeeds', async () => {
    const { path, admin } = await api.newOrganization();
    const invited = await api.signUpVerified();
    await invite(path, admin, invited.email);
    const token = await api.tokenFor('accept-invitation', invited.email);
    const answers = await Promise.all(Array.from({ length: 20 }, () => accept(invited, token)));
    expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(1);
    expect(answers.filter(({ statusCode }) => statusCode === 422)).toHaveLength(19);
  });

  test('a second invitation of an address voids the link of the first one', async () => {
    const { path, admin } = await api.newOrganization();
    const invited = await api.signUpVerified();
    await invite(path, admin, invited.email);
    const first = await api.tokenFor('accept-invitation', invited.email);
    await invite(path, admin, invited.email, 'admin');
    const second = await api.tokenFor('accept-invitation', invited.email);
    expectProblem(await accept(invited, first), 422, 'validation_failed');
    expect((await accept(invited, second)).json()).toMatchObject({ role: 'admin' });
  });

  test('an invitation is void once its sender may not grant the role any more', async () => {
    const { path, owner, admin } = await api.newOrganization();
    const invited = await api.signUpVerified();
    await invite(path, admin, invited.email, 'admin');
    const token = await api.tokenFor('accept-invitation', invited.email);
    await send('PATCH', `${path}/members/${admin.id}`, owner, { role: 'member' });
    expectProblem(await accept(invited, token), 422, 'validation_failed');
  });

  test('an admin cannot replace an invitation to the role owner', async () => {
    const { path, owner, admin } = await api.newOrganization();
    const email = `${newId()}@example.com`;
    await invite(path, owner, email, 'owner');
    expectProblem(await invite(path, admin, email, 'member'), 403, 'forbidden');
  });

  test('a revoked and an expired invitation cannot be accepted', async () => {
    const { path, admin } = await api.newOrganization();
    const [one, other] = [await api.signUpVerified(), await api.signUpVerified()];
    const { id } = (await invite(path, admin, one.email)).json();
    await invite(path, admin, other.email);
    const tokens = [
      await api.tokenFor('accept-invitation', one.email),
      await api.tokenFor('accept-invitation', other.email),
    ];
    expect((await send('DELETE', `${path}/invitations/${id}`, admin)).statusCode).toBe(204);
    expectProblem(await accept(one, tokens[0]), 422, 'validation_failed');
    await api.database.inspect(({ query }) =>
      query(`update invitations set expires_at = now() - interval '1 hour' where email = $1`, [other.email]),
    );
    expectProblem(await accept(other, tokens[1]), 422, 'validation_failed');
  });

  test('members cannot be invited, and admins with an unverified address cannot invite', async () => {
    const { path, owner, admin, member } = await api.newOrganization();
    expectProblem(await invite(path, admin, member.email), 409, 'already_member');
    await api.database.system().users.update(owner.id, { email_verified_at: null });
    expectProblem(await invite(path, owner, `${newId()}@example.com`), 403, 'forbidden');
  });

  test('invitations do not use up the mails that tell a user of changes of the account', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    const [admin, victim] = [await limited.signUpVerified(), await limited.signUpVerified()];
    const { token } = admin;
    const { id } = (await limited.send('POST', '/organizations', { token, body: { name: 'Spam' } })).json();
    for (let n = 0; n < 25; n++) {
      const body = { email: victim.email, role: 'member' };
      const { statusCode } = await limited.send('POST', `/organizations/${id}/invitations`, { token, body });
      expect(statusCode).toBe(201);
      await limited.app.runner.runDue('send mail');
    }
    const isInvitation = ({ link }: { link?: string }) => link?.includes('/accept-invitation');
    const before = await limited.mailsTo(victim.email);
    expect(before.filter(isInvitation).length).toBeLessThan(15);
    const body = { username: `victim${Date.now()}`, current_password: password };
    expect((await limited.send('PATCH', '/users/me', { token: victim.token, body })).statusCode).toBe(200);
    expect(await limited.mailsTo(victim.email)).toHaveLength(before.length + 1);
    await limited.close();
  });

  test('the database stores no token of an invitation', async () => {
    const { path, admin } = await api.newOrganization();
    const invited = await api.signUpVerified();
    await invite(path, admin, invited.email);
    const token = await api.tokenFor('accept-invitation', invited.email);
    const { rows } = await api.database.inspect(({ query }) =>
      query('select to_jsonb(i)::text as text from invitations i union all select data::text from pgboss.job', []),
    );
    expect(JSON.stringify(rows)).not.toContain(token);
  });
});

describe('API keys of an organization', () => {
  test('an API key of an organization is refused outside of that organization', async () => {
    const { path, admin, owner } = await api.newOrganization();
    const other = await api.newOrganization();
    const scopes = ['documents:read', 'documents:write', 'tasks:read', 'organizations:read', 'profile:read'];
    const created = await send('POST', `${path}/api-keys`, admin, { name: 'Robot', scopes });
    expect(created.statusCode).toBe(201);
    const key = { token: created.json().key as string };
    const document = { title: 'Plan', content: 'Of the wall.' };
    expect((await send('POST', `${path}/documents`, key, document)).statusCode).toBe(201);
    expect((await send('GET', `${path}/members`, key)).statusCode).toBe(200);
    expectProblem(await send('GET', `${path}/invitations`, key), 403, 'insufficient_scope');
    expectProblem(await send('GET', '/users/me/tasks', key), 403, 'insufficient_scope');
    expectProblem(await send('GET', '/users/me', key), 403, 'insufficient_scope');
    expectProblem(await send('GET', `${other.path}/documents`, key), 404, 'not_found');
    const { items } = (await send('GET', `${path}/api-keys`, owner)).json();
    expect(items).toEqual([expect.objectContaining({ user_id: admin.id, name: 'Robot' })]);
    expect(JSON.stringify(items)).not.toContain('key"');
    expect((await send('DELETE', `${path}/api-keys/${items[0].id}`, owner)).statusCode).toBe(204);
    expectProblem(await send('GET', `${path}/documents`, key), 401, 'invalid_token');
  });

  test('a key for the rows of its owner is a stranger in an organization of its owner', async () => {
    const { path, member } = await api.newOrganization();
    const { key } = (
      await send('POST', '/users/me/api-keys', member, { name: 'x', scopes: ['documents:read'] })
    ).json();
    expectProblem(await send('GET', `${path}/documents`, { token: key }), 404, 'not_found');
    expect((await send('GET', '/users/me/documents', { token: key })).statusCode).toBe(200);
  });
});

describe('documents of an organization', () => {
  const search = (path: string, user: User, query: string) => send('POST', `${path}/search`, user, { query });

  test('documents of an organization are shared by its members, and are not in their own lists', async () => {
    const { id, path, owner, member } = await api.newOrganization();
    const documents = `${path}/documents`;
    const created = await send('POST', documents, member, { title: 'Plan', content: 'A crenellated wall.' });
    const document = created.json();
    expect(created.headers.location).toBe(`/api/v1${documents}/${document.id}`);
    expect(document).toMatchObject({ organization_id: id, title: 'Plan' });
    expect((await send('GET', `${documents}/${document.id}`, owner)).json()).toEqual(document);
    expect((await send('PATCH', `${documents}/${document.id}`, owner, { title: 'The plan' })).json().title).toBe(
      'The plan',
    );
    expect((await search(documents, owner, 'crenellated')).json().items).toHaveLength(1);
    expect((await send('GET', '/users/me/documents', member)).json().items).toEqual([]);
    expect((await search('/users/me/documents', member, 'crenellated')).json().items).toEqual([]);
    const batch = await send('POST', `${documents}/batch`, owner, { items: [{ title: 'a', content: 'b' }] });
    expect([batch.statusCode, batch.json().items[0].organization_id]).toEqual([201, id]);
    expect((await send('DELETE', `${documents}/${document.id}`, member)).statusCode).toBe(204);
  });

  test('a search finds nothing of another organization, of its members, or of the searcher', async () => {
    const [mine, theirs] = [await api.newOrganization(), await api.newOrganization()];
    const text = { title: 'Quarry', content: 'Where the gneiss comes from.' };
    await send('POST', `${theirs.path}/documents`, theirs.owner, text);
    await send('POST', '/users/me/documents', mine.owner, text);
    await send('POST', '/users/me/documents', mine.member, text);
    expect((await search(`${mine.path}/documents`, mine.owner, 'gneiss')).json().items).toEqual([]);
    expect((await search('/users/me/documents', mine.owner, 'gneiss')).json().items).toHaveLength(1);
  });

  test('a document of another organization and a missing one answer the same bytes', async () => {
    const [mine, theirs] = [await api.newOrganization(), await api.newOrganization()];
    const { id } = (await send('POST', `${theirs.path}/documents`, theirs.owner, { title: 'a', content: 'b' })).json();
    const missing = newId();
    const headers = { 'x-request-id': 'the-same' };
    const [other, none] = [
      await send('GET', `${mine.path}/documents/${id}`, mine.owner, undefined, headers),
      await send('GET', `${mine.path}/documents/${missing}`, mine.owner, undefined, headers),
    ];
    expect(other.body.replaceAll(id, missing)).toBe(none.body);
  });
});

const scopeOfMember = (userId: string) =>
  ({
    actor: { via: 'session', userId, sessionId: newId(), authenticatedAt: new Date() },
    isAdmin: false,
  }) as const;
