import { connect, type Database, DatabaseUnavailable } from '@quoin/db';
import { newScope } from '@quoin/db/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDirectory, run } from '../server.ts';
import { startCluster } from './cluster.ts';

// A primary and its standby as a read replica.

let cluster: Awaited<ReturnType<typeof startCluster>>;
let directory: ReturnType<typeof newDirectory>;
let database: Database;

beforeAll(async () => {
  cluster = await startCluster();
  directory = newDirectory();
  const { code, stderr } = await run('db', ['upgrade'], {
    cwd: directory.path,
    env: { DATABASE_URL: cluster.url(cluster.one) },
  });
  expect(code, stderr).toBe(0);
  database = await connect(cluster.url(cluster.one), { replicaUrl: cluster.url(cluster.two) });
});
afterAll(async () => {
  await database?.close();
  await cluster?.stop();
  directory?.remove();
});

const listed = async () => (await database.replica.system().users.list({ limit: 200 })).map(({ id }) => id);
test('the replica answers reads that may be old, with row level security, and everything else is read at the primary', async () => {
  const [scope, stranger] = [await newScope(database), await newScope(database)];
  await database.as(scope).tasks.create({ title: 'Mine' });
  expect(await database.checkReplica()).toEqual({ lagSeconds: 0 });
  await expect.poll(async () => (await database.replica.as(scope).tasks.list({ limit: 10 })).rows.length).toBe(1);
  expect((await database.replica.as(stranger).tasks.list({ limit: 10 })).rows).toEqual([]);
  await cluster.two.query('select pg_wal_replay_pause()');
  const later = await newScope(database);
  // What the primary has and the replica not yet.
  expect(await database.system().users.find(later.owner.userId)).toBeDefined();
  expect(await listed()).not.toContain(later.owner.userId);
  await cluster.two.query('select pg_wal_replay_resume()');
  await expect.poll(listed).toContain(later.owner.userId);
});

test('the primary answers while the replica is away', async () => {
  await cluster.two.stop();
  const scope = await newScope(database);
  expect(await listed()).toContain(scope.owner.userId);
  expect(database.replicaState()?.lagSeconds).toBeUndefined();
  await cluster.two.start();
  await expect
    .poll(async () => {
      await listed();
      return database.replicaState()?.lagSeconds;
    })
    .toBe(0);
});

test('the primary answers while the replica is too far behind', async () => {
  await cluster.two.query('select pg_wal_replay_pause()');
  const scope = await newScope(database);
  // Its last replayed transaction is older than the bound once this much time has passed.
  await expect.poll(async () => (await listed()).includes(scope.owner.userId)).toBe(true);
  expect(database.replicaState()?.lagSeconds).toBeGreaterThan(30);
  await cluster.two.query('select pg_wal_replay_resume()');
  await expect
    .poll(async () => {
      await listed();
      return database.replicaState()?.lagSeconds;
    })
    .toBe(0);
});

test('without the primary, a replica is not written to', async () => {
  await cluster.one.stop();
  await expect(database.system().users.create({ email: 'a@example.com' })).rejects.toThrow(DatabaseUnavailable);
  expect((await listed()).length).toBeGreaterThan(0);
  await cluster.one.start();
});
