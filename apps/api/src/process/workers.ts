import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Config } from '../config/config.ts';

// Several processes on one port: the primary holds the port and starts the workers. Each worker is a complete server.

const stopMessage = 'stop';
const startedMessage = 'started';
const restartMs = 1_000;
/** Extra time for workers before they are killed. */
const killMs = 1_000;

interface Log {
  info: (fields: object, message: string) => void;
  error: (fields: object, message: string) => void;
}

/**
 * Keeps `workers` processes running until a signal. SIGTERM and SIGINT stop all of them gracefully. SIGHUP replaces them one by one, each after its successor
 * answers, so that no request fails and the new ones run the code on disk.
 *
 * @returns the exit code
 */
export async function runWorkers({ workers: count, shutdownSeconds }: Config, log: Log): Promise<number> {
  /** Workers that were asked to stop, so that their exit is not a crash. */
  const stopRequested = new WeakSet<Worker>();
  const started = new WeakSet<Worker>();
  let isStopping = false;
  let isReplacing = false;
  let isRunning = false;

  const all = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);

  /** Resolves to whether the worker became ready for requests. */
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

  const stopWorker = async (worker: Worker): Promise<number> => {
    stopRequested.add(worker);
    if (worker.isDead()) return 0;
    const ended = once(worker, 'exit');
    if (!started.has(worker)) {
      // It does not listen yet and has no requests to finish.
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
        log.error({}, 'a new worker did not start, so the replacement stopped and the remaining old workers stay');
        break;
      }
      await stopWorker(worker);
      log.info({ worker: worker.process.pid }, 'replaced a worker');
    }
    isReplacing = false;
  };

  cluster.on('exit', (worker, code, signal) => {
    if (isStopping || stopRequested.has(worker) || !isRunning) return;
    log.error({ worker: worker.process.pid, code, signal }, 'a worker crashed and will be replaced');
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
      Promise.all(all().map(stopWorker)).then((codes) => resolve(codes.some((code) => code !== 0) ? 1 : 0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
    process.on('SIGHUP', () => void replaceAll());
  });

  // The first one alone, so that a configuration error is reported once.
  if (!(await start())) return isStopping ? stopped : 1;
  isRunning = true;
  await Promise.all(Array.from({ length: count - 1 }, start));
  log.info({ workers: count }, 'all workers have started');
  return stopped;
}

/** Tells the primary that this worker is ready for requests. */
export function notifyStarted(): void {
  process.send?.(startedMessage);
}

/** Calls `stop` when the primary asks. Ignores Ctrl-C, which the terminal sends to every process of the group: the primary handles it. */
export function onStopRequest(stop: () => void): void {
  process.on('message', (message) => {
    if (message === stopMessage) stop();
  });
  process.on('SIGINT', () => {});
}
