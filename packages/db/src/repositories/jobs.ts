import { type Kysely, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Context } from './context.ts';
import { type PageRequest, paged } from './page.ts';

/** States of a job. A failed job was tried as often as allowed. */
export const jobStates = ['created', 'retry', 'active', 'completed', 'failed'] as const;
export type JobState = (typeof jobStates)[number];

/** A job to enqueue. Times are in seconds. */
export interface NewJob {
  /** Letters, digits, `_`, `.` and `-`. */
  name: string;
  /** `singleton`: of the jobs with the same unique key, one runs at a time. Counts when the first job of a name is enqueued. */
  policy: 'standard' | 'singleton';
  data: object;
  /** Whose job it is. A user's unit of work enqueues its own jobs only. */
  user_id?: string | undefined;
  concurrency_key?: string | undefined;
  /** At most one job of a name has this time. */
  unique_at?: Date | undefined;
  start_after?: Date | undefined;
  priority: number;
  retry_limit: number;
  retry_delay: number;
  retry_delay_max: number;
  expire_seconds: number;
  heartbeat_seconds: number;
  deletion_seconds: number;
  trace_context?: object | undefined;
}

/** Columns of pg-boss's table that the application reads. */
interface JobTable {
  id: string;
  name: string;
  state: JobState;
  data: Record<string, unknown> | null;
  group_id: string | null;
  retry_count: number;
  retry_limit: number;
  created_on: Date;
  start_after: Date;
  started_on: Date | null;
  completed_on: Date | null;
  output: Record<string, unknown> | null;
  keep_until: Date;
  trace_context: object | null;
}

const columns = [
  'id',
  'name',
  'state',
  'data',
  'group_id',
  'retry_count',
  'retry_limit',
  'created_on',
  'start_after',
  'started_on',
  'completed_on',
  'output',
] as const;

export interface JobFilter {
  name?: string | undefined;
  state?: JobState | undefined;
}

/** Returns the call that enqueues jobs, for a statement that does more. */
export const enqueueCall = (jobs: readonly NewJob[]) =>
  sql`quoin_enqueue(${JSON.stringify(jobs.map((job) => ({ id: newId(), ...job })))}::jsonb)`;

/** Enqueues jobs in the transaction of the caller. */
export const jobQueue = ({ db }: Context) => ({
  enqueue: async (jobs: readonly NewJob[]): Promise<void> => {
    if (jobs.length > 0) await sql`select ${enqueueCall(jobs)}`.execute(db);
  },
});

/** The job queue, for the processes that run the jobs and for admins. */
export const jobs = (context: Context) => {
  const db: Kysely<{ 'pgboss.job': JobTable }> = context.db.withTables<{ 'pgboss.job': JobTable }>() as never;
  return {
    ...jobQueue(context),

    /** Resolves to the names with jobs that wait or run, when the first of them is due, and the time of the database. Reads two entries of an index per name. */
    waiting: async (names: readonly string[]) => {
      const { rows } = await sql<{ name: string; due_at: Date | null; is_active: boolean; now: Date }>`
        select name, least(
            (select min(start_after) from pgboss.job where job.name = n.name and state = 'created' and not blocked),
            (select min(start_after) from pgboss.job where job.name = n.name and state = 'retry' and not blocked)
          ) as due_at,
          exists (select from pgboss.job where job.name = n.name and state = 'active') as is_active, now() as now
        from unnest(${names}::text[]) as n (name)`.execute(db);
      return rows;
    },

    list: ({ name, state, ...page }: JobFilter & PageRequest) => {
      let query = db.selectFrom('pgboss.job').select(columns);
      if (name !== undefined) query = query.where('name', '=', name);
      if (state !== undefined) query = query.where('state', '=', state);
      return paged(query, page).execute();
    },

    /** Makes a job that waits or has failed due now. Resolves to undefined if no such job waits or has failed. */
    retry: (id: string) =>
      db
        .updateTable('pgboss.job')
        .set({
          state: sql`case state when 'created' then state else 'retry' end`,
          start_after: sql`now()`,
          completed_on: null,
          retry_limit: sql`greatest(retry_limit, retry_count + 1)`,
          keep_until: sql`greatest(keep_until, now() + interval '1 year')`,
        })
        .where('id', '=', id)
        .where('state', 'not in', ['active', 'completed'])
        .returning(columns)
        .executeTakeFirst(),

    /** Resolves to what the requests that enqueued the jobs left for their traces. */
    traceContexts: async (ids: readonly string[]): Promise<object[]> => {
      const rows = await db
        .selectFrom('pgboss.job')
        .select('trace_context')
        .where(sql<boolean>`id = any(${ids}::uuid[])`)
        .execute();
      return rows.flatMap(({ trace_context }) => trace_context ?? []);
    },

    /** Hands back a job that runs. The attempt does not count. */
    release: (id: string, retryCount: number) =>
      db
        .updateTable('pgboss.job')
        .set({
          state: sql`case when retry_count > 0 then 'retry'::pgboss.job_state else 'created' end`,
          started_on: null,
          start_after: sql`now()`,
        })
        .where('id', '=', id)
        .where('retry_count', '=', retryCount)
        .where('state', '=', 'active')
        .execute(),

    /** Makes the current attempt of a job the last one. */
    endRetries: (id: string, retryCount: number) =>
      db
        .updateTable('pgboss.job')
        .set({ retry_limit: retryCount })
        .where('id', '=', id)
        .where('retry_count', '=', retryCount)
        .where('state', '=', 'active')
        .execute(),

    /** Deletes a job that does not run. Resolves to undefined if no such job exists, or if it runs. */
    delete: (id: string) =>
      db
        .deleteFrom('pgboss.job')
        .where('id', '=', id)
        .where('state', '<>', 'active')
        .returning(columns)
        .executeTakeFirst(),

    /** Deletes the waiting jobs of a name of a user. */
    deleteWaiting: (name: string, userId: string) =>
      db
        .deleteFrom('pgboss.job')
        .where('name', '=', name)
        .where('group_id', '=', userId)
        .where('state', 'in', ['created', 'retry'])
        .execute(),

    find: (id: string) => db.selectFrom('pgboss.job').select(columns).where('id', '=', id).executeTakeFirst(),

    /** Deletes waiting jobs of a schedule whose times have changed. @param rule the current times */
    deleteTicksOfOtherRules: (name: string, rule: string) =>
      db
        .deleteFrom('pgboss.job')
        .where('name', '=', name)
        .where('state', '=', 'created')
        .where(sql<boolean>`data->>'rule' is not null and data->>'rule' <> ${rule}`)
        .execute(),

    /** Resolves to the number of jobs by name and state. */
    count: async () => {
      const { rows } = await sql<{ name: string; state: JobState; count: number }>`
        select name, state, count(*)::int as count from pgboss.job group by name, state`.execute(db);
      return rows;
    },
  };
};

export type Job = NonNullable<Awaited<ReturnType<ReturnType<typeof jobs>['find']>>>;
