import type { Database, NewJob } from '@quoin/db';
import type { Static, TSchema } from 'typebox';
import { queueNameOf } from './boss.ts';
import type { JobDefinition, JobKind } from './job.ts';
import { nextTick, type Rule, ruleText, type Schedule, TickData } from './schedule.ts';

const nameFormat = /^[a-z0-9]+( [a-z0-9]+)*$/i;
/** Failed jobs, and completed ones that are kept. */
const endedKeptDays = 14;
const heartbeatSeconds = 60;

interface Dependencies {
  /** Returns the trace that the caller is part of, so that the job's trace links to it. */
  traceContext?: (() => object | undefined) | undefined;
}

export type Jobs = ReturnType<typeof createJobs>;

/** The kinds of jobs of the application. `services.ts` defines them; a runner runs them. */
export function createJobs({ traceContext = () => undefined }: Dependencies = {}) {
  const definitions = new Map<string, JobDefinition>();
  const schedules: Schedule[] = [];
  let wake: (name: string) => void = () => {};

  const define = <Data extends TSchema>(definition: JobDefinition<Data>): JobKind<Static<Data>> => {
    const { name } = definition;
    if (!nameFormat.test(name)) throw new Error(`the job name "${name}" is not words of letters and digits`);
    if (definitions.has(name)) throw new Error(`two jobs have the name "${name}"`);
    definitions.set(name, definition as unknown as JobDefinition);
    const jobsFor: JobKind<Static<Data>>['jobsFor'] = (items, { userId, concurrencyKey, startAfter } = {}) => {
      if (definition.isSerialized && concurrencyKey === undefined)
        throw new Error(`a job "${name}" needs a concurrencyKey`);
      const trace_context = traceContext();
      return items.map((data) => ({
        ...columnsOf(definition),
        data: data as object,
        user_id: userId,
        concurrency_key: concurrencyKey,
        start_after: startAfter,
        trace_context,
      }));
    };
    return {
      name,
      jobsFor,
      enqueue: (repositories, items, options) => repositories.jobs.enqueue(jobsFor(items, options)),
      wake: () => wake(name),
    };
  };

  return {
    definitions: definitions as ReadonlyMap<string, JobDefinition>,
    schedules: schedules as readonly Schedule[],

    /** Adds a kind of job. */
    define,

    /**
     * Runs `handler` at certain times, once per tick over all processes. If no process ran at some ticks, it runs once for all of them. An attempt that fails is
     * tried again, as any job.
     *
     * @throws Error if the expression or the time zone is not valid
     */
    schedule: (name: string, rule: Rule, handler: (tick: { scheduledFor: Date }) => Promise<unknown>): void => {
      nextTick(rule, new Date());
      const definition: JobDefinition<typeof TickData> = {
        name,
        data: TickData,
        isKept: true,
        attemptsMax: 5,
        retrySeconds: 60,
        timeoutSeconds: 3_600,
        run: async ({ data }) => void (await handler({ scheduledFor: new Date(data.scheduled_for) })),
      };
      define(definition);
      schedules.push({ definition: definition as unknown as JobDefinition, rule });
    },

    /** Sets what `wake` of the kinds calls. */
    onWake: (start: (name: string) => void): void => {
      wake = start;
    },
  };
}

/** Enqueues the next tick of each schedule. A tick that is there already stays the only one. */
export async function enqueueTicks(database: Database, schedules: readonly Schedule[], now: Date): Promise<void> {
  await database.system().jobs.enqueue(schedules.map((schedule) => tickAfter(schedule, now)));
}

/** Deletes waiting ticks of rules that have changed since they were enqueued. */
export async function deleteOldTicks(database: Database, schedules: readonly Schedule[]): Promise<void> {
  for (const { definition, rule } of schedules)
    await database.system().jobs.deleteTicksOfOtherRules(queueNameOf(definition.name), ruleText(rule));
}

/** @param isNow due now instead of at the tick */
export function tickAfter({ definition, rule }: Schedule, now: Date, { isNow = false } = {}): NewJob {
  const tick = isNow ? now : nextTick(rule, now);
  const data: Static<typeof TickData> = { rule: ruleText(rule), scheduled_for: tick.toISOString() };
  return { ...columnsOf(definition), data, unique_at: tick, start_after: tick };
}

/** The columns that are the same for all jobs of a kind. */
function columnsOf({
  name,
  priority = 0,
  isSerialized = false,
  attemptsMax = 20,
  retrySeconds = 10,
  retrySecondsMax = 3_600,
  timeoutSeconds = 300,
}: Omit<JobDefinition, 'data' | 'run' | 'runBatch'>): Omit<NewJob, 'data'> {
  return {
    name: queueNameOf(name),
    policy: isSerialized ? 'singleton' : 'standard',
    priority,
    retry_limit: attemptsMax - 1,
    retry_delay: retrySeconds,
    retry_delay_max: retrySecondsMax,
    expire_seconds: timeoutSeconds,
    heartbeat_seconds: heartbeatSeconds,
    deletion_seconds: endedKeptDays * 86_400,
  };
}
