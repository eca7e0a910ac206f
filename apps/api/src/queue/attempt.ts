import type { Database } from '@quoin/db';
import type { FastifyBaseLogger } from 'fastify';
import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { Value } from 'typebox/value';
import { queueNameOf } from './boss.ts';
import { type JobDefinition, PermanentFailure, type RunningJob } from './job.ts';
import type { SettleDone } from './settle-done.ts';

/** `released`: the process stopped, and the attempt does not count. */
type Outcome = 'done' | 'failed' | 'retried' | 'released';
export type JobEnded = (job: string, outcome: Outcome, seconds: number) => void;
type Claimed = JobWithMetadata<object>;

interface Dependencies {
  boss: PgBoss;
  database: Database;
  definition: JobDefinition;
  settleDone: SettleDone;
  /** Aborted when the process stops. */
  stopSignal: AbortSignal;
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
  onEnded: JobEnded;
}

const timeoutSecondsDefault = 300;
const heartbeatMs = 20_000;
const errorLengthMax = 500;

/**
 * Runs claimed jobs once and records the results: each job by itself, or all together if the kind has `runBatch`. While they run, heartbeats tell other processes that
 * this one is alive. A job whose claim was lost, because its heartbeats did not reach the database, is left to the process that took over.
 */
export async function runAttempt(claimed: Claimed[], dependencies: Dependencies): Promise<void> {
  const { definition } = dependencies;
  const { run, runBatch } = definition;
  const claim = claimOf(claimed, dependencies);
  const startedAt = performance.now();
  const settle = async (job: Claimed, error?: unknown) => {
    const seconds = (performance.now() - startedAt) / 1000;
    const outcome = error === undefined ? 'done' : await settleFailed(job, error, dependencies);
    if (outcome === 'done') await dependencies.settleDone(definition, keyOf(job));
    report(job, outcome, error, seconds, dependencies);
  };
  try {
    const valid = claimed.filter(({ data }) => Value.Check(definition.data, data));
    const invalid = claimed.filter((job) => !valid.includes(job));
    const mismatch = new PermanentFailure('the data of the job does not match its schema');
    const settled = invalid.map((job) => settle(job, mismatch));
    const running = new Map(valid.map((job) => [runningJob(job, claim.signal), job]));
    if (runBatch && running.size > 0) {
      const failures = await untilAborted(
        Promise.try(() => {
          claim.signal.throwIfAborted();
          return runBatch([...running.keys()] as RunningJob<never>[]);
        }),
        claim.signal,
      ).catch((error) => new Map([...running.keys()].map((job) => [job, error])));
      for (const [job, claimedJob] of running) settled.push(settle(claimedJob, failures.get(job as never)));
    } else {
      for (const [job, claimedJob] of running) {
        const work = untilAborted(
          Promise.try(async () => {
            // The process may have stopped while the job was claimed. Then the job is handed back, and must not begin.
            claim.signal.throwIfAborted();
            await run?.(job as RunningJob<never>);
          }),
          claim.signal,
        );
        settled.push(
          work.then(
            () => settle(claimedJob),
            (error) => settle(claimedJob, error),
          ),
        );
      }
    }
    // All of them, so that the claims of the others last if one cannot be recorded.
    const results = await Promise.allSettled(settled);
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  } finally {
    claim.end();
  }
}

/** Keeps the claim of jobs alive. Its signal is aborted when the time is over, the process stops, or another process took over. */
function claimOf(claimed: Claimed[], { boss, definition, stopSignal }: Dependencies) {
  const controller = new AbortController();
  const seconds = definition.timeoutSeconds ?? timeoutSecondsDefault;
  const stop = () => controller.abort(stopSignal.reason);
  const timeout = setTimeout(
    () => controller.abort(new Error(`the attempt took longer than ${seconds} s`)),
    1000 * seconds,
  );
  const heartbeat = setInterval(async () => {
    try {
      const touched = (await boss.touch(queueNameOf(definition.name), claimed.map(keyOf))) as { affected?: number };
      if (touched.affected === 0) controller.abort(new Error('another process took over'));
    } catch {
      // The next heartbeat tries again.
    }
  }, heartbeatMs);
  if (stopSignal.aborted) stop();
  else stopSignal.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timeout);
      clearInterval(heartbeat);
      stopSignal.removeEventListener('abort', stop);
    },
  };
}

function report(
  job: Claimed,
  outcome: Outcome,
  err: unknown,
  seconds: number,
  { definition, log, onEnded }: Dependencies,
) {
  const { name } = definition;
  onEnded(name, outcome, seconds);
  const fields = { job: name, id: job.id, attempt: job.retryCount + 1, ms: Math.round(1000 * seconds) };
  if (outcome === 'done') log.info(fields, 'job');
  else if (outcome === 'released') log.info(fields, 'a job was handed back, because the process stops');
  else if (outcome === 'retried') log.warn({ ...fields, err }, 'a job failed and will be tried again');
  else log.error({ ...fields, err }, 'a job failed for good');
}

const runningJob = (
  { id, data, groupId, retryCount, createdOn }: Claimed,
  signal: AbortSignal,
): RunningJob<object> => ({
  id,
  data,
  userId: groupId ?? null,
  attempt: retryCount + 1,
  createdAt: createdOn,
  signal,
});

/** Rejects with the reason of the signal when that is aborted before the work has ended. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Returns a text that PostgreSQL accepts in JSON. */
function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, errorLengthMax).toWellFormed().replaceAll('\0', '');
}

/** What identifies a claim: only the process that has this attempt may settle it. */
const keyOf = ({ id, retryCount }: Claimed) => ({ id, retryCount });

async function settleFailed(
  job: Claimed,
  error: unknown,
  { boss, database, definition, stopSignal }: Dependencies,
): Promise<Exclude<Outcome, 'done'>> {
  if (stopSignal.aborted && error === stopSignal.reason) {
    await database.system().jobs.release(job.id, job.retryCount);
    return 'released';
  }
  const isPermanent = error instanceof PermanentFailure;
  if (isPermanent) await database.system().jobs.endRetries(job.id, job.retryCount);
  const output = { message: errorText(error) };
  await boss.fail(queueNameOf(definition.name), keyOf(job), output);
  return isPermanent || job.retryCount >= job.retryLimit ? 'failed' : 'retried';
}
