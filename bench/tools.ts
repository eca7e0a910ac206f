import { execFile, execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

// Shared by the benchmarks: a database server, load generators, and reproducible random numbers.

const run = promisify(execFile);

/** Starts PostgreSQL. Returns its URL and the folder of its programs. */
export function startPostgres(): { url: string; bindir: string } {
  const script = (command: string) => execFileSync('scripts/postgres.sh', [command], { encoding: 'utf8' }).trim();
  return { url: script('start'), bindir: script('bindir') };
}

/** Checks that wrk is installed. @throws Error that says how to install it */
export async function requireWrk(): Promise<void> {
  const isThere = () =>
    run('wrk', ['-v']).then(
      () => true,
      (error) => error.code !== 'ENOENT', // `wrk --version` exits with 1
    );
  if (await isThere()) return;
  await run('apt-get', ['install', '-y', '-qq', 'wrk']).catch(() => {});
  if (!(await isThere())) throw new Error('wrk is needed: apt-get install wrk');
}

/** Result of a load. Latencies in milliseconds. */
export interface Load {
  perSecond: number;
  p50: number;
  p99: number;
}

/** Sends the requests of a Lua script for some seconds. @throws Error if a response is not a success */
export async function wrk(url: string, script: string, { connections = 8, seconds = 5 } = {}): Promise<Load> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  const msAt = (percent: number) => {
    const [, value, unit = 's'] = new RegExp(`\\b${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? [];
    return Number(value) * ({ us: 0.001, ms: 1 }[unit] ?? 1000);
  };
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50: msAt(50), p99: msAt(99) };
}

/** Signs in with concurrent clients. A rejected client waits a second. Counts and times successful sign-ins only. */
export async function loginLoad(signIn: () => Promise<number>, clients: number, seconds: number): Promise<Load> {
  const start = performance.now();
  const end = start + seconds * 1000;
  const times: number[] = [];
  const one = async () => {
    while (performance.now() < end) {
      const startedAt = performance.now();
      const status = await signIn();
      if (status === 200) times.push(performance.now() - startedAt);
      else if (status === 503) await new Promise((resolve) => setTimeout(resolve, 1000));
      else throw new Error(`a login was answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  const elapsedSeconds = (performance.now() - start) / 1000; // includes requests that were in progress at the end
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { perSecond: times.length / elapsedSeconds, p50: at(0.5), p99: at(0.99) };
}

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Prints the usage and exits if the arguments contain --help. */
export function printHelp(usage: string): void {
  if (!process.argv.includes('--help')) return;
  process.stdout.write(usage);
  process.exit();
}

/** Returns the rate of bare password verification, with Quoin's concurrency. */
export async function bareArgon2(forSeconds: number): Promise<Load> {
  const atOnce = Math.max(1, availableParallelism() - 1);
  const { stdout } = await run(process.execPath, ['bench/servers/argon2.ts', String(atOnce), String(forSeconds)]);
  const perSecond = Number(stdout);
  return { perSecond, p50: (atOnce * 1000) / perSecond, p99: Number.NaN };
}
