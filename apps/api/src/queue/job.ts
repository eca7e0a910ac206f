import type { NewJob, OwnerRepositories } from '@quoin/db';
import type { Static, TSchema } from 'typebox';

// What a feature needs to define a job and to enqueue it.

/** A kind of work that happens later, at least once. */
export interface JobDefinition<Data extends TSchema = TSchema> {
  /** Words, such as `send mail`. */
  name: string;
  /** The data of each job. A job with other data fails. No secrets: admins see the data. */
  data: Data;
  /** Does the work of one job. Throw to have it tried again later. */
  run?: (job: RunningJob<Static<Data>>) => Promise<void>;
  /** Does the work of a batch, instead of `run`. */
  runBatch?: RunBatch<Static<Data>>;
  /** Batches of this kind that one process runs at the same time. Default 1. */
  concurrency?: number;
  /** Jobs that are claimed together. Default 1. */
  batchSize?: number;
  /** Jobs of one user that run at the same time, in all processes. Default: no limit. */
  perUser?: number;
  /** Kinds with a higher priority start first. Default 0. */
  priority?: number;
  /** Jobs with the same concurrency key run one after another. Cannot be changed when jobs of the kind exist. Default false. */
  isSerialized?: boolean;
  /** How often a job is tried before it has failed. Default 20. */
  attemptsMax?: number;
  /** Seconds until the second attempt. The delay doubles with each attempt, up to `retrySecondsMax`. Default 10. */
  retrySeconds?: number;
  /** Default 3,600. */
  retrySecondsMax?: number;
  /** Seconds after which an attempt counts as failed. Default 300. */
  timeoutSeconds?: number;
  /** Whether completed jobs stay in the list for two weeks. Default false: they are deleted. */
  isKept?: boolean;
}

/** Does the work of a batch. Resolves to the jobs that failed and why; the others are done. */
type RunBatch<Data> = (jobs: RunningJob<Data>[]) => Promise<Map<RunningJob<Data>, unknown>>;

/** A job that runs. */
export interface RunningJob<Data> {
  /** The same for each attempt, so it can be an idempotency key. */
  id: string;
  data: Data;
  /** The user whose job it is. */
  userId: string | null;
  /** 1 for the first. */
  attempt: number;
  createdAt: Date;
  /** Aborted when the attempt takes too long, when another process has taken over, and when the process stops. */
  signal: AbortSignal;
}

/** Thrown if another attempt would fail as well. */
export class PermanentFailure extends Error {
  override name = 'PermanentFailure';
}

interface EnqueueOptions {
  /** Whose job it is. In a user's unit of work it is always that user. */
  userId?: string | undefined;
  /** Required if the kind is serialized. */
  concurrencyKey?: string | undefined;
  startAfter?: Date | undefined;
}

/** A kind of job, as the code that enqueues it sees it. */
export interface JobKind<Data> {
  readonly name: string;
  /** Returns a job per item, for a statement that enqueues them. */
  jobsFor(items: readonly Data[], options?: EnqueueOptions): NewJob[];
  /** Enqueues a job per item in the transaction of the caller. */
  enqueue(
    repositories: Pick<OwnerRepositories, 'jobs'>,
    items: readonly Data[],
    options?: EnqueueOptions,
  ): Promise<void>;
  /** Starts the jobs in this process without waiting for the next poll. Call it after the commit. */
  wake(): void;
}
