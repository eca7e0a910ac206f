import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDirectory, postgresPrograms, run, send, startServer } from './server.ts';

// The roles of scripts/roles.sql, on the server of TEST_ADMIN_URL, where roles can be created. CI sets it.

const adminUrl = process.env.TEST_ADMIN_URL ?? '';
const password = 'correct horse battery';
const name = `quoin_roles_${randomUUID().replaceAll('-', '')}`;
const urlOf = (username: string, secret: string) =>
  Object.assign(new URL(adminUrl), { username, password: secret, pathname: `/${name}` }).href;

const query = async (url: string, text: string) => {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
};

let directory: ReturnType<typeof newDirectory>;
beforeAll(async () => {
  if (!adminUrl) return;
  directory = newDirectory();
  await query(adminUrl, `create database ${name}`);
  const file = fileURLToPath(new URL('../scripts/roles.sql', import.meta.url));
  const psql = join(postgresPrograms('17'), 'psql');
  const env = { ...process.env, DATABASE_MIGRATOR_PASSWORD: 'm-secret', DATABASE_SERVER_PASSWORD: 's-secret' };
  execFileSync(psql, ['--quiet', `--dbname=${urlOf('admin', '')}`, `--file=${file}`], { env, stdio: 'pipe' });
});
afterAll(async () => {
  if (!adminUrl) return;
  await query(adminUrl, `drop database ${name} with (force)`);
  directory.remove();
});

test.runIf(adminUrl)('roles.sql: the migrator migrates, and the server cannot change the schema', async () => {
  const migrator = { DATABASE_URL: urlOf('quoin_migrator', 'm-secret') };
  const server = { DATABASE_URL: urlOf('quoin_server', 's-secret') };
  const cwd = directory.path;
  expect((await run('db', ['upgrade'], { cwd, env: server })).code).toBe(1);
  expect((await run('db', ['upgrade'], { cwd, env: migrator })).code).toBe(0);
  expect(await run('db', ['check'], { cwd, env: migrator })).toMatchObject({ code: 0 });
  expect((await run('doctor', [], { cwd, env: { ...server, PORT: '0' } })).stdout).toMatch(/^ok +roles/m);

  const running = await startServer({ cwd, env: server });
  const api = `${running.url}/api/v1`;
  try {
    const account = { email: 'ada@example.com', password };
    expect((await send(`${api}/auth/register`, { body: account })).status).toBe(201);
    const { access_token: token, refresh_token } = (await send(`${api}/auth/login`, { body: account })).body;
    const as = (method: string, path: string, body?: object) => send(`${api}${path}`, { token, method, body });
    expect((await as('POST', '/users/me/tasks', { title: 'Kept' })).status).toBe(201);
    expect((await as('PUT', '/users/me/preferences', { theme: 'dark' })).status).toBe(200);
    expect((await as('POST', '/users/me/documents', { title: 'Wall', content: 'A wall of stone' })).status).toBe(201);
    expect((await as('POST', '/users/me/documents/search', { query: 'stone' })).body.items).toHaveLength(1);
    const email = 'ada.lovelace@example.com';
    expect((await as('PATCH', '/users/me', { email, current_password: password })).status).toBe(200);
    expect((await as('GET', '/users/me/audit-events')).body.items.length).toBeGreaterThan(2);
    expect((await send(`${api}/auth/refresh`, { body: { refresh_token } })).status).toBe(200);
    expect((await send(`${api}/auth/password/forgot`, { body: { email } })).status).toBe(202);
    expect((await send(`${running.url}/health/ready`)).status).toBe(200);
    expect((await as('DELETE', '/users/me', { current_password: password })).status).toBe(204);
  } finally {
    await running.end('SIGTERM');
  }

  for (const statement of [
    'truncate audit_events',
    'delete from audit_events',
    `select quoin_erase_audit_events(gen_random_uuid(), 'ada@example.com')`,
    'alter table audit_events disable trigger all',
    'drop table tasks',
    'create table public.mine ()',
    'alter table users no force row level security',
    'set role quoin_owner',
  ])
    await expect(query(server.DATABASE_URL, statement), statement).rejects.toThrow(/permission denied|must be owner/);
});
