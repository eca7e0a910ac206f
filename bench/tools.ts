import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

// What benchmarks share: a server to measure, a generator of load, and numbers that come out the same on every run.

const run = promisify(execFile);

/** A PostgreSQL of our own, and where its programs are. */
export function startPostgres(): { url: string; bindir: string } {
  const script = (command: string) => execFileSync('scripts/postgres.sh', [command], { encoding: 'utf8' }).trim();
  return { url: script('start'), bindir: script('bindir') };
}

/** Makes sure that wrk is there. @throws Error that says how to install it */
export async function requireWrk(): Promise<void> {
  const isThere = () =>
    run('wrk', ['-v']).then(
      () => true,
      (error) => error.code !== 'ENOENT', // it exits with 1 when asked for its version
    );
  if (await isThere()) return;
  await run('apt-get', ['install', '-y', '-qq', 'wrk']).catch(() => {});
  if (!(await isThere())) throw new Error('wrk is needed: apt-get install wrk');
}

/** What wrk saw. Latencies in milliseconds. */
export interface Load {
  perSecond: number;
  p50: number;
  p99: number;
}

/** Sends requests as this Lua script makes them, for so many seconds. @throws Error where an answer was no success */
export async function wrk(url: string, script: string, { connections = 8, seconds = 5 } = {}): Promise<Load> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  const msAt = (percent: number) => {
    const [, value, unit = 's'] = new RegExp(`\\b${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? [];
    return Number(value) * ({ us: 0.001, ms: 1 }[unit] ?? 1000);
  };
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50: msAt(50), p99: msAt(99) };
}

/** Signs in again and again, so many clients at once. Those who are refused wait a second. Counts and times only who is let in. */
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
  const elapsedSeconds = (performance.now() - start) / 1000; // what was under way at the end is waited for, and counts
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

/** Ends the process with this text where it was asked for with --help: before anything is started. */
export function printHelp(usage: string): void {
  if (!process.argv.includes('--help')) return;
  process.stdout.write(usage);
  process.exit();
}
