import type { Database } from '@quoin/db';
import type { FastifyBaseLogger } from 'fastify';
import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { Value } from 'typebox/value';
import { queueNameOf } from './boss.ts';
import { type JobDefinition, PermanentFailure, type RunningJob } from './job.ts';

export type Outcome = 'done' | 'failed' | 'retried';
export type JobEnded = (job: string, outcome: Outcome, seconds: number) => void;

interface Dependencies {
  boss: PgBoss;
  database: Database;
  definition: JobDefinition;
  /** Aborted when the process stops. */
  stopSignal: AbortSignal;
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
  onEnded: JobEnded;
}

const heartbeatMs = 20_000;
const errorLengthMax = 500;

/**
 * Runs claimed jobs once and records the result. While they run, heartbeats tell other processes that this one is alive. A job whose claim was lost, because its
 * heartbeats did not reach the database, is left to the process that took over.
 */
export async function attempt(claimed: JobWithMetadata<object>[], dependencies: Dependencies): Promise<void> {
  const { definition, log, onEnded } = dependencies;
  const { name } = definition;
  const startedAt = performance.now();
  const failures = await failuresOf(claimed, dependencies);
  const seconds = (performance.now() - startedAt) / 1000;
  await settleDone(
    claimed.filter(({ id }) => !failures.has(id)),
    dependencies,
  );
  for (const job of claimed) {
    const error = failures.get(job.id);
    const outcome = failures.has(job.id) ? await settleFailed(job, error, dependencies) : 'done';
    onEnded(name, outcome, seconds);
    const fields = { job: name, id: job.id, attempt: job.retryCount + 1, ms: Math.round(1000 * seconds) };
    if (outcome === 'done') log.info(fields, 'job');
    else if (outcome === 'retried') log.warn({ ...fields, err: error }, 'a job failed and will be tried again');
    else log.error({ ...fields, err: error }, 'a job failed for good');
  }
}

/** Resolves to the errors by job id. */
async function failuresOf(
  claimed: JobWithMetadata<object>[],
  { boss, definition, stopSignal }: Dependencies,
): Promise<Map<string, unknown>> {
  const claim = new AbortController();
  const timeout = AbortSignal.timeout(1000 * (definition.timeoutSeconds ?? 300));
  const signal = AbortSignal.any([stopSignal, timeout, claim.signal]);
  const heartbeat = setInterval(() => {
    boss
      .touch(queueNameOf(definition.name), claimed)
      .then((touched) => {
        if ((touched as { affected?: number }).affected !== claimed.length)
          claim.abort(new Error('another process took over'));
      })
      .catch(() => {});
  }, heartbeatMs).unref();
  try {
    const failures = new Map<string, unknown>();
    const jobs = claimed.flatMap((job) => {
      if (Value.Check(definition.data, job.data)) return [runningJob(job, signal)];
      failures.set(job.id, new PermanentFailure('the data of the job does not match its schema'));
      return [];
    });
    if (jobs.length === 0) return failures;
    const failed = await Promise.race([definition.run(jobs as RunningJob<never>[]), aborted(signal)]);
    for (const [job, error] of failed ?? []) failures.set(job.id, error);
    return failures;
  } catch (error) {
    return new Map(claimed.map(({ id }) => [id, error]));
  } finally {
    clearInterval(heartbeat);
  }
}

const runningJob = (
  { id, data, groupId, retryCount, createdOn }: JobWithMetadata<object>,
  signal: AbortSignal,
): RunningJob<object> => ({
  id,
  data,
  userId: groupId ?? null,
  attempt: retryCount + 1,
  createdAt: createdOn,
  signal,
});

/** Rejects when the signal is aborted. */
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });

/** What claims a job: only the process that has this attempt may settle it. */
const claimOf = ({ id, retryCount }: JobWithMetadata<object>) => ({ id, retryCount });

async function settleDone(done: JobWithMetadata<object>[], { boss, definition }: Dependencies): Promise<void> {
  if (done.length === 0) return;
  const queue = queueNameOf(definition.name);
  const claims = done.map(claimOf);
  await (definition.isKept ? boss.complete(queue, claims) : boss.deleteJob(queue, claims));
}

async function settleFailed(
  job: JobWithMetadata<object>,
  error: unknown,
  { boss, database, definition }: Dependencies,
): Promise<Outcome> {
  const { message = String(error) } = error as Partial<Error>;
  const isPermanent = error instanceof PermanentFailure;
  if (isPermanent) await database.system().jobs.endRetries(job.id, job.retryCount);
  const output = { message: message.slice(0, errorLengthMax) };
  await boss.fail(queueNameOf(definition.name), claimOf(job), output);
  return isPermanent || job.retryCount >= job.retryLimit ? 'failed' : 'retried';
}
