import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { testPoolerUrl, testServerUrl } from '@quoin/db/testing';

// Shared by tests of starting, stopping and crashing: the server as a separate process.

const root = fileURLToPath(new URL('..', import.meta.url));
/** Paths of the commands. */
export const commands = {
  main: join(root, 'apps/api/src/main.js'),
  user: join(root, 'apps/api/src/commands/user.ts'),
  keys: join(root, 'apps/api/src/commands/keys.ts'),
  sessions: join(root, 'apps/api/src/commands/sessions.ts'),
  db: join(root, 'apps/api/src/commands/db.ts'),
  doctor: join(root, 'apps/api/src/commands/doctor.ts'),
  new: join(root, 'scripts/new.ts'),
  pack: join(root, 'scripts/pack.ts'),
  bench: join(root, 'bench/compare.ts'),
  'bench:search': join(root, 'bench/search.ts'),
  'bench:abuse': join(root, 'bench/abuse.ts'),
  'bench:account-timing': join(root, 'bench/account-timing.ts'),
};
/** Limit for a process that hangs. A slow machine takes 10 s. */
const secondsToStartMax = 120;

/** Creates an empty working directory for `.data` and `.env`. */
export function newDirectory() {
  const path = mkdtempSync(join(tmpdir(), 'quoin-e2e-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
  input?: string;
}

/** Variables for a database behind a pooler, besides its URL. */
function behindPooler({ DATABASE_URL: url = '' }: Record<string, string>): Record<string, string> {
  if (!testPoolerUrl || !testServerUrl || new URL(testPoolerUrl).host !== URL.parse(url)?.host) return {};
  const direct = Object.assign(new URL(testServerUrl), { pathname: new URL(url).pathname });
  return { DATABASE_PREPARE: 'false', DATABASE_DIRECT_URL: direct.href };
}

const compileCache = join(import.meta.dirname, '../node_modules/.cache/quoin');

function start(script: keyof typeof commands, args: string[], { cwd, env = {} }: RunOptions) {
  const { PATH = '', HOME = '' } = process.env;
  // Processes of tests end soon, so optimizing the embedded database costs more than it gains.
  const options = ['--liftoff-only', '--max-semi-space-size=16', '--heap-growing-percent=40'];
  const child = spawn(process.execPath, [...options, commands[script], ...args], {
    cwd,
    env: { PATH, HOME, NODE_COMPILE_CACHE: compileCache, ...behindPooler(env), ...env },
  });
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
  }));
  // Ends the server if a test fails before it does.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  exited.then(() => process.off('exit', kill));
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text) => {
      output[stream] += text;
    });
  }
  return { child, exited, output };
}

/** Runs a command and waits for it. */
export async function run(script: keyof typeof commands, args: string[], options: RunOptions) {
  const { child, exited, output } = start(script, args, options);
  child.stdin.end(options.input ?? '');
  const { code } = await exited;
  return { code, ...output };
}

/**
 * Starts a server on a free port and waits until it answers.
 *
 * @param onWaiting called when the server reports that it waits for the database
 */
export async function startServer({
  env = {},
  onWaiting,
  ...options
}: RunOptions & { onWaiting?: () => Promise<unknown> }) {
  const { child, exited, output } = start('main', [], { ...options, env: { PORT: '0', RATE_LIMIT: 'false', ...env } });
  const deadline = AbortSignal.timeout(secondsToStartMax * 1000);
  let url: string | undefined;
  let hasWaited = false;
  while (!url) {
    if (deadline.aborted || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`the server did not start:\n${output.stdout}${output.stderr}`);
    }
    if (onWaiting && !hasWaited && output.stdout.includes('waiting for the database')) {
      hasWaited = true;
      await onWaiting();
    }
    url = /Quoin answers at (http:\S+)/.exec(output.stdout)?.[1];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const kill = (signal: NodeJS.Signals) => child.kill(signal);
  const end = (signal: NodeJS.Signals) => {
    kill(signal);
    return exited;
  };
  return { url, output, pid: child.pid ?? 0, kill, exited, end };
}

/** Returns the folder of the programs of this PostgreSQL version. */
export const postgresPrograms = (version: string) =>
  execFileSync(join(root, 'scripts/postgres.sh'), ['bindir', version], { encoding: 'utf8' }).trim();

/** Starts a separate PostgreSQL with fsync on. Resolves to its URL. */
export async function ownPostgres(command: 'start' | 'stop'): Promise<string> {
  const env = { ...process.env, QUOIN_PG_PORT: '54418', QUOIN_PG_DURABLE: '1' };
  const { stdout } = await promisify(execFile)(join(root, 'scripts/postgres.sh'), [command], { env });
  return stdout.trim();
}

/** Resolves to the folder of PostgreSQL's programs. */
export async function postgresBin(): Promise<string> {
  const { stdout } = await promisify(execFile)(join(root, 'scripts/postgres.sh'), ['bindir']);
  return stdout.trim();
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Sends JSON. Resolves to the status and the body. */
export async function send(
  url: string,
  {
    body,
    token,
    method = body ? 'POST' : 'GET',
    headers: more,
  }: { body?: unknown; token?: string; method?: string; headers?: Record<string, string> } = {},
) {
  const headers = {
    ...(body ? { 'content-type': 'application/json' } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...more,
  };
  const response = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}
