import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { appendFile, chown, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, ownPostgres, postgresBin } from '../server.ts';

// Two PostgreSQL servers of its own with streaming replication. Nothing watches them: the tests decide which one is the primary.

const run = promisify(execFile);

/** Starts a primary (`one`) and a standby (`two`). */
export async function startCluster() {
  // Installs PostgreSQL and creates its account.
  await ownPostgres('start');
  await ownPostgres('stop');
  const bin = await postgresBin();
  const root = mkdtempSync(join(tmpdir(), 'quoin-cluster-'));
  const isRoot = process.getuid?.() === 0;
  const account = isRoot ? 'postgres' : userInfo().username;
  if (isRoot) {
    const id = async (flag: string) => Number((await run('id', [flag, account])).stdout);
    await chown(root, await id('-u'), await id('-g'));
  }
  const as = (program: string, ...args: string[]) => {
    const command = [join(bin, program), ...args];
    const [first = '', ...rest] = isRoot
      ? ['setpriv', '--reuid', account, '--regid', account, '--clear-groups', ...command]
      : command;
    return run(first, rest, { cwd: root, env: { PATH: process.env.PATH, LC_ALL: 'C' } });
  };

  const member = (name: string, port: number) => {
    const data = join(root, name);
    const pid = () => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const control = (...args: string[]) => as('pg_ctl', '-D', data, '-w', '-t', '60', ...args);
    return {
      name,
      port,
      data,
      start: () => control('-l', join(root, `${name}.log`), '-o', `-p ${port}`, 'start'),
      stop: () => control('-m', 'fast', 'stop'),
      promote: () => control('promote'),
      signal: (signal: NodeJS.Signals) => process.kill(pid(), signal),
      /** Processes of the server, by the start of their titles: `walreceiver`, for example. */
      processes: async (title: string) => {
        const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(pid())]);
        return stdout
          .split('\n')
          .filter((line) => line.includes(`postgres: ${title}`))
          .map((line) => Number.parseInt(line, 10));
      },
      query: async (sql: string, database = 'postgres') =>
        (
          await as(
            'psql',
            '-XqAt',
            '-v',
            'ON_ERROR_STOP=1',
            '-h',
            '127.0.0.1',
            '-p',
            String(port),
            '-U',
            'admin',
            '-d',
            database,
            '-c',
            sql,
          )
        ).stdout.trim(),
    };
  };
  const one = member('one', await freePort());
  const two = member('two', await freePort());

  const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_keep_size = 256MB
wal_log_hints = on
jit = off
max_parallel_maintenance_workers = 0
`;
  await as('initdb', '-D', one.data, '-U', 'admin', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync');
  await appendFile(join(one.data, 'postgresql.conf'), settings);
  await one.start();
  await one.query('create extension vector', 'template1');
  await one.query('create role quoin login createdb createrole');
  await one.query('create database quoin owner quoin');

  /** Makes a member a standby of another one, from its data. */
  const follow = async (standby: typeof one, primary: typeof one) => {
    rmSync(standby.data, { recursive: true, force: true });
    const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'admin'];
    await as('pg_basebackup', ...from, '-D', standby.data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync');
    await standby.start();
  };
  await follow(two, one);

  return {
    one,
    two,
    follow,
    /** Restarts a member as a standby without moving anybody away from it, as a cluster manager demotes a primary. */
    demote: async (primary: typeof one, successor: typeof one) => {
      await primary.stop();
      await writeFile(join(primary.data, 'standby.signal'), '');
      await writeFile(
        join(primary.data, 'postgresql.auto.conf'),
        `primary_conninfo = 'host=127.0.0.1 port=${successor.port} user=admin'\nrecovery_target_timeline = 'latest'\n`,
      );
      await successor.promote();
      await primary.start();
    },
    url: (...members: { port: number }[]) =>
      `postgresql://quoin@${members.map(({ port }) => `127.0.0.1:${port}`).join(',')}/quoin`,
    stop: async () => {
      for (const each of [one, two]) await each.stop().catch(() => {});
      rmSync(root, { recursive: true, force: true });
    },
  };
}
