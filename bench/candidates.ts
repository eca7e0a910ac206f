import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../e2e/server.ts';
import packageJson from '../package.json' with { type: 'json' };

// The candidates. Each runs in its own process, started for production as its documentation says.

const bench = fileURLToPath(new URL('.', import.meta.url));
const secondsToStartMax = 30;
const run = promisify(execFile);

export interface Candidate {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  /** Path that answers when the server has started. */
  firstPath: string;
}

interface Place {
  databaseUrl: string;
  betterAuthUrl: string;
  secretKey: string;
  /** Directory in which Quoin starts and logs are written. */
  directory: string;
}

export const prefix = '/api/v1';

export function candidatesIn({ databaseUrl, betterAuthUrl, secretKey, directory }: Place) {
  const node = process.execPath;
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    JWT_SECRET: secretKey,
  };
  const server = (name: string) => ({ command: [node, join(bench, 'servers', name)], cwd: directory, env });
  const peer = (name: string, file: string) => ({ command: [node, file], cwd: join(bench, 'peers', name), env });
  // Same as `npm start`, without npm.
  const start = packageJson.scripts.start.split(' ').filter((word) => word.startsWith('--'));
  const quoin = {
    command: [node, ...start, join(bench, '../apps/api/src/main.js')],
    cwd: directory,
    env: {
      ...env,
      SECRET_KEY: secretKey,
      RATE_LIMIT: 'false',
    },
  };
  return {
    quoin: { ...quoin, firstPath: '/health/ready' },
    limit: { ...server('limit.ts'), firstPath: '/nothing' },
    hello: { ...server('hello.ts'), firstPath: '/' },
    fastify: { ...server('fastify.ts'), firstPath: '/' },
    express: { ...peer('express', 'server.js'), firstPath: '/users/me' },
    nest: { ...peer('nest', 'dist/main.js'), firstPath: '/users/me' },
    'better-auth': {
      ...peer('better-auth', 'server.js'),
      env: { ...env, DATABASE_URL: betterAuthUrl },
      firstPath: '/api/auth/ok',
    },
    embedded: {
      ...quoin,
      env: { ...quoin.env, DATABASE_URL: `pglite://${directory}/embedded` },
      firstPath: '/health/ready',
    },
  } satisfies Record<string, Candidate>;
}

/** Installs the dependencies of the peers. */
export async function installPeers(): Promise<void> {
  for (const name of ['express', 'nest', 'better-auth']) {
    const cwd = join(bench, 'peers', name);
    if (!existsSync(join(cwd, 'node_modules'))) await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd });
    if (name === 'nest') await run('npm', ['run', 'build'], { cwd });
  }
}

/** Starts a candidate on a free port and waits until it answers. */
export async function start({ command: [program = '', ...args], cwd, env, firstPath }: Candidate, logFile: string) {
  const port = await freePort();
  const log = openSync(logFile, 'a');
  const startedAt = performance.now();
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
    cwd,
    env: { PATH, HOME, ...env, PORT: String(port) },
    stdio: ['ignore', log, log],
  });
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(`${url}${firstPath}`))) {
    if (child.exitCode !== null || performance.now() - startedAt > secondsToStartMax * 1000) {
      kill();
      throw new Error(`${args.at(-1)} did not start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const startMs = performance.now() - startedAt;
  return {
    url,
    startMs,
    pid: child.pid ?? 0,
    residentMiB: () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024,
    end: async () => {
      child.kill('SIGTERM');
      await exited;
      process.off('exit', kill);
    },
  };
}

export type Running = Awaited<ReturnType<typeof start>>;

/** Whether the server answers without a server error. */
const answers = (url: string) =>
  new Promise<boolean>((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 500);
    }).on('error', () => resolve(false));
  });
