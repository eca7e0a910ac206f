import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import pg from 'pg';
import { expect, test } from 'vitest';
import { newDirectory, postgresPrograms, run, send, startServer } from './server.ts';

// Rehearses "Back up and restore" of docs/operations.md: the data is complete and sessions continue.

const password = 'correct horse battery';
const agree = 'database, migrations and entities agree\n';
const account = { email: 'ada@example.com', password };

async function fill(url: string): Promise<string> {
  await send(`${url}/api/v1/auth/register`, { body: account });
  const token = (await send(`${url}/api/v1/auth/login`, { body: account })).body.access_token;
  await send(`${url}/api/v1/users/me/tasks`, { body: { title: 'Kept' }, token });
  const embedding = Array.from({ length: 768 }, (_, index) => index + 1);
  await send(`${url}/api/v1/users/me/documents`, {
    body: { title: 'Kept', content: 'A cornerstone', embedding },
    token,
  });
  return token;
}

async function expectFilled(url: string, token: string) {
  expect((await send(`${url}/api/v1/users/me/tasks`, { token })).body.items).toMatchObject([{ title: 'Kept' }]);
  const found = await send(`${url}/api/v1/users/me/documents/search`, { body: { query: 'cornerstones' }, token });
  expect(found.body.items).toMatchObject([{ document: { title: 'Kept', has_embedding: true } }]);
  expect((await send(`${url}/api/v1/auth/login`, { body: account })).status).toBe(200);
}

test('a copy of .data of a stopped server restores the embedded database', async () => {
  const directory = newDirectory();
  const restored = newDirectory();
  try {
    const server = await startServer({ cwd: directory.path });
    const token = await fill(server.url);
    await server.end('SIGTERM');
    cpSync(join(directory.path, '.data'), join(restored.path, '.data'), { recursive: true });
    const again = await startServer({ cwd: restored.path });
    await expectFilled(again.url, token);
    await again.end('SIGTERM');
  } finally {
    directory.remove();
    restored.remove();
  }
});

test.runIf(testServerUrl)('a dump of a running server restores into another database', async () => {
  const directory = newDirectory();
  const database = await createTestDatabase();
  const name = `quoin_restored_${randomUUID().replaceAll('-', '')}`;
  const administration = new pg.Client(testServerUrl);
  await administration.connect();
  try {
    const server = await startServer({ cwd: directory.path, env: { DATABASE_URL: database.directUrl } });
    const token = await fill(server.url);
    const dump = join(directory.path, 'quoin.dump');
    const { rows } = await administration.query('show server_version');
    const programs = postgresPrograms(rows[0].server_version.split('.')[0]);
    const program = (program: string, args: string[]) => promisify(execFile)(join(programs, program), args);
    await program('pg_dump', [
      '--format=custom',
      '--no-owner',
      '--enable-row-security',
      `--file=${dump}`,
      database.directUrl,
    ]);
    await server.end('SIGTERM');

    await administration.query(`create database ${name}`);
    const url = Object.assign(new URL(testServerUrl ?? ''), { pathname: `/${name}` }).href;
    // The administrator has created the extension vector. The owner of a database may create the others.
    const { stdout: contents } = await program('pg_restore', ['--list', dump]);
    const list = join(directory.path, 'list');
    writeFileSync(list, contents.replace(/^.*EXTENSION.* vector.*$/gm, ''));
    await program('pg_restore', ['--no-owner', '--exit-on-error', `--use-list=${list}`, `--dbname=${url}`, dump]);
    const env = { DATABASE_URL: url };
    expect(await run('db', ['check'], { cwd: directory.path, env })).toMatchObject({ stdout: agree, code: 0 });
    const again = await startServer({ cwd: directory.path, env });
    await expectFilled(again.url, token);
    await again.end('SIGTERM');
  } finally {
    await administration.query(`drop database if exists ${name} with (force)`);
    await administration.end();
    await database.close();
    directory.remove();
  }
});
