import type { Database } from '@quoin/db';
import type { FastifyBaseLogger } from 'fastify';
import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { type JobEnded, runAttempt } from './attempt.ts';
import { openBoss, queueNameOf } from './boss.ts';
import type { JobDefinition } from './job.ts';
import { deleteOldTicks, enqueueTicks, type Jobs } from './jobs.ts';
import { createSettleDone } from './settle-done.ts';

interface Dependencies {
  database: Database;
  jobs: Jobs;
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
  onEnded?: JobEnded | undefined;
  /** Runs an attempt in a trace that links to those that enqueued its jobs. */
  inTrace?: InTrace | undefined;
}

type InTrace = <T>(name: string, carriers: readonly object[], run: () => Promise<T>) => Promise<T>;

/** What a poll of the queue has found. */
export interface PollResult {
  /** Whether jobs are due or run, in any process. */
  isBusy: boolean;
  /** Milliseconds until the next job is due, if one waits. */
  nextMs: number | undefined;
}

/** How often jobs of dead processes are looked for while there are jobs. */
const superviseMs = 60_000;
/** Time from a wake to the start. */
const wakeMs = 50;

export type Runner = ReturnType<typeof createRunner>;

/**
 * Runs the jobs of the queue in this process. Any number of processes can do so at the same time: each job is claimed by one of them. One statement polls for all
 * kinds of jobs, so an idle process asks little.
 */
export function createRunner({ database, jobs, log, onEnded = () => {}, inTrace }: Dependencies) {
  const definitions = [...jobs.definitions.values()].sort((one, other) => (other.priority ?? 0) - (one.priority ?? 0));
  const names = definitions.map(({ name }) => queueNameOf(name));
  const stopping = new AbortController();
  const workers = new Map<JobDefinition, number>();
  const running = new Set<Promise<void>>();
  const woken = new Map<string, NodeJS.Timeout>();
  let opened: Promise<PgBoss> | undefined;
  let supervisedAt = Number.NEGATIVE_INFINITY;
  let isOpen = true;

  const open = () => {
    opened ??= openBoss(database, (fields, message) => log.warn(fields, message)).catch((error) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };

  const traceContextsOf = (claimed: JobWithMetadata<object>[]) =>
    database.system().jobs.traceContexts(claimed.map(({ id }) => id));

  const settleDone = createSettleDone(open);

  /** A schedule continues when a tick runs. `supervise` enqueues the first tick, and again if a process died here. */
  const enqueueNextTick = async (definition: JobDefinition, [tick]: JobWithMetadata<object>[]) => {
    const schedule = jobs.schedules.find((one) => one.definition === definition);
    if (!schedule || !tick) return;
    // The clock of this process may be behind that of the database, by which the tick was due.
    const now = new Date(Math.max(Date.now(), tick.startAfter.getTime()));
    // If it fails, `supervise` enqueues the tick.
    await enqueueTicks(database, [schedule], now).catch((err) => log.warn({ err }, 'could not enqueue the next tick'));
  };

  /** Claims and runs one batch. Resolves to whether there was one. */
  const runBatch = async (definition: JobDefinition, onClaimed: () => void = () => {}): Promise<boolean> => {
    const boss = await open();
    const claimed: JobWithMetadata<object>[] = await boss
      .fetch<object>(queueNameOf(definition.name), {
        batchSize: definition.batchSize ?? 1,
        ...(definition.perUser && { groupConcurrency: definition.perUser }),
        includeMetadata: true,
      })
      .catch((error: { code?: string }) => {
        // A queue is created with its first job.
        if (error.code === 'PGBOSS_QUEUE_NOT_FOUND') return [];
        throw error;
      });
    if (claimed.length === 0) return false;
    onClaimed();
    await enqueueNextTick(definition, claimed);
    const run = () =>
      runAttempt(claimed, { boss, database, definition, settleDone, stopSignal: stopping.signal, log, onEnded });
    if (!inTrace) await run();
    else await inTrace(definition.name, await traceContextsOf(claimed).catch(() => []), run);
    return true;
  };

  /** Runs jobs of one kind until none is due. Starts another worker when it has claimed a batch, up to the limit of the kind. */
  const startWorker = (definition: JobDefinition) => {
    const count = workers.get(definition) ?? 0;
    if (!isOpen || count >= (definition.concurrency ?? 1)) return;
    workers.set(definition, count + 1);
    const worker = (async () => {
      try {
        while (isOpen && (await runBatch(definition, () => startWorker(definition))));
      } catch (err) {
        log.warn({ err, job: definition.name }, 'could not run jobs; the next poll tries again');
      }
    })().finally(() => {
      workers.set(definition, (workers.get(definition) ?? 1) - 1);
      running.delete(worker);
    });
    running.add(worker);
  };

  /** Starts a kind of job soon, without a poll of the queue. Jobs of many requests then make one batch. */
  const wake = (name: string) => {
    const definition = jobs.definitions.get(name);
    if (!definition || !isOpen || woken.has(name)) return;
    const timer = setTimeout(() => {
      woken.delete(name);
      startWorker(definition);
    }, wakeMs).unref();
    woken.set(name, timer);
  };

  /** Polls the queue. Resolves to the due kinds, those with the highest priority first. */
  const findDue = async () => {
    const waiting = await database.system().jobs.waiting(names);
    const now = waiting[0]?.now ?? new Date();
    const isDue = ({ due_at }: { due_at: Date | null }) => due_at !== null && due_at <= now;
    const due = definitions.filter((_, index) => waiting.some((row) => row.name === names[index] && isDue(row)));
    const later = waiting.flatMap(({ due_at }) => (due_at && due_at > now ? [due_at.getTime() - now.getTime()] : []));
    const isBusy = due.length > 0 || waiting.some(({ is_active }) => is_active);
    return { now, due, isBusy, nextMs: later.length > 0 ? Math.min(...later) : undefined };
  };

  /** Recovers jobs of dead processes, deletes old ones, and sees that each schedule has its next tick. */
  const supervise = async (now: Date) => {
    supervisedAt = performance.now();
    await (await open()).supervise();
    await enqueueTicks(database, jobs.schedules, now);
  };

  return {
    /** Deletes ticks of schedules that have changed. Call it once, when the process starts. */
    prepare: () => deleteOldTicks(database, jobs.schedules),

    /** Polls the queue, and starts what is due. */
    poll: async (): Promise<PollResult> => {
      const { now, due, isBusy, nextMs } = await findDue();
      for (const definition of due) startWorker(definition);
      if (performance.now() - supervisedAt >= superviseMs) await supervise(now);
      return { isBusy, nextMs };
    },

    /** From now on, jobs that this process enqueues and wakes start soon. */
    start: (): void => jobs.onWake(wake),

    /** Runs the jobs that are due, one batch after another, until this process finds no more. For tests and commands. @param only of this kind */
    runDue: async (only?: string): Promise<void> => {
      for (let hasRun = true; hasRun; ) {
        hasRun = false;
        const { due } = await findDue();
        for (const definition of due)
          if (!hasRun && (only === undefined || definition.name === only)) hasRun = await runBatch(definition);
      }
    },

    /** Recovers jobs of dead processes and deletes old ones now. */
    supervise: async (): Promise<void> => supervise((await findDue()).now),

    /** Waits for the running jobs, and hands back those that need longer. */
    stop: async (waitMs: number): Promise<void> => {
      isOpen = false;
      for (const timer of woken.values()) clearTimeout(timer);
      const timer = setTimeout(() => stopping.abort(new Error('the process stopped')), waitMs);
      await Promise.all(running);
      clearTimeout(timer);
      await opened?.then((boss) => boss.stop({ close: false, graceful: false })).catch(() => {});
    },
  };
}
