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

/** Requests a second, from wrk with this Lua script. @throws Error where an answer was no success */
export async function wrk(url: string, script: string, { connections = 8, seconds = 5 } = {}): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
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
