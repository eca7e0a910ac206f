import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Config } from '../config/config.ts';

// Several processes on one port: the primary holds the port and starts the workers; each of those is a server as it is without the others.

const stopMessage = 'stop';
const startedMessage = 'started';
const restartMs = 1_000;
/** What is left to workers that do not end by themselves. */
const killMs = 1_000;

interface Log {
  info: (fields: object, message: string) => void;
  error: (fields: object, message: string) => void;
}

/**
 * Keeps `workers` processes running until a signal. SIGTERM and SIGINT stop them all, in order; SIGHUP replaces them one by one, each when
 * its successor answers, so that no request fails and the new ones run the code that is on disk now.
 *
 * @returns the exit code
 */
export async function runWorkers({ workers: count, shutdownSeconds }: Config, log: Log): Promise<number> {
  /** Told to stop, so that their end is no accident. */
  const dismissed = new WeakSet<Worker>();
  const started = new WeakSet<Worker>();
  let isStopping = false;
  let isReplacing = false;
  let isRunning = false;

  const all = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);

  /** Resolves to whether it got as far as to be ready for requests. */
  const start = async (): Promise<boolean> => {
    const worker = cluster.fork();
    const ended = once(worker, 'exit').then(() => false);
    const hasStarted = new Promise<boolean>((resolve) => {
      worker.on('message', (message) => {
        if (message !== startedMessage) return;
        started.add(worker);
        resolve(true);
      });
    });
    return Promise.race([hasStarted, ended]);
  };

  const dismiss = async (worker: Worker): Promise<number> => {
    dismissed.add(worker);
    if (worker.isDead()) return 0;
    const ended = once(worker, 'exit');
    if (!started.has(worker)) {
      // It has nothing to finish, and does not listen yet.
      worker.process.kill('SIGKILL');
      await ended;
      return 0;
    }
    if (worker.isConnected()) worker.send(stopMessage);
    const late = setTimeout(() => worker.process.kill('SIGKILL'), shutdownSeconds * 1000 + killMs);
    const [code] = await ended;
    clearTimeout(late);
    return code ?? 1;
  };

  const replaceAll = async () => {
    if (isReplacing || isStopping) return;
    isReplacing = true;
    for (const worker of all()) {
      if (isStopping) break;
      if (!(await start())) {
        log.error({}, 'a new worker did not start: the others stay as they are');
        break;
      }
      await dismiss(worker);
      log.info({ worker: worker.process.pid }, 'a worker was replaced');
    }
    isReplacing = false;
  };

  cluster.on('exit', (worker, code, signal) => {
    if (isStopping || dismissed.has(worker) || !isRunning) return;
    log.error({ worker: worker.process.pid, code, signal }, 'a worker ended, and another one takes its place');
    setTimeout(() => {
      if (!isStopping && all().length < count) void start();
    }, restartMs);
  });

  const stopped = new Promise<number>((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      if (isStopping) {
        for (const worker of all()) worker.process.kill('SIGKILL');
        resolve(1);
        return;
      }
      isStopping = true;
      log.info({ signal, workers: all().length }, 'stopping');
      Promise.all(all().map(dismiss)).then((codes) => resolve(codes.some((code) => code !== 0) ? 1 : 0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
    process.on('SIGHUP', () => void replaceAll());
  });

  // The first one alone: what is wrong with the configuration is said once.
  if (!(await start())) return isStopping ? stopped : 1;
  isRunning = true;
  await Promise.all(Array.from({ length: count - 1 }, start));
  log.info({ workers: count }, 'all workers have started');
  return stopped;
}

/** Tells the primary that this worker is ready for requests. */
export function tellStarted(): void {
  process.send?.(startedMessage);
}

/** Calls `stop` when the primary says so. The terminal's Ctrl-C goes to every process of the group, and is the primary's business. */
export function onDismissal(stop: () => void): void {
  process.on('message', (message) => {
    if (message === stopMessage) stop();
  });
  process.on('SIGINT', () => {});
}
