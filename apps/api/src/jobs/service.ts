import type { AuditAction, Database, Job, Scope, SystemRepositories } from '@quoin/db';
import { type Client, noClient } from '../http/client.ts';
import { found, Problem } from '../http/errors.ts';
import { adminListMsMax, pageFrom, pageRequest } from '../http/page.ts';
import { jobNameOf, queueNameOf } from '../queue/boss.ts';
import { actorColumns } from '../users/account-changes.ts';
import type { JobQuery } from './schemas.ts';

/** The job queue as admins see it. */
export function createJobAdministration({ database }: { database: Database }) {
  /** Changes a job and records it. @throws Problem `not_found`, `job_conflict` */
  const change = (
    id: string,
    action: AuditAction,
    { scope, client = noClient }: { scope?: Scope | undefined; client?: Client | undefined },
    apply: (jobs: SystemRepositories['jobs']) => Promise<Job | undefined>,
  ) =>
    database.system(scope).transaction(async ({ jobs, auditEvents }) => {
      const changed = await apply(jobs);
      if (!changed) {
        const { state } = found(await jobs.find(id));
        throw new Problem(
          'job_conflict',
          state === 'active' ? 'The job is running. Wait until it ends.' : 'The job is done, and cannot run again.',
        );
      }
      const details = { job_id: id, name: jobNameOf(changed.name) };
      await auditEvents.create({ action, user_id: changed.group_id, details, ...actorColumns(scope), ...client });
      return toJob(changed);
    });

  return {
    list: async ({ name, state, ...query }: JobQuery) => {
      const page = pageRequest('jobs', query);
      const filter = { name: name === undefined ? undefined : queueNameOf(name), state };
      const rows = await database
        .system()
        .transaction(({ jobs }) => jobs.list({ ...page, ...filter }), { statementMsMax: adminListMsMax });
      return pageFrom('jobs', rows.map(toJob), page);
    },

    /** Makes a job due now that waits, has failed or was cancelled. @throws Problem `not_found`, `job_conflict` */
    retry: (id: string, by: { scope?: Scope; client?: Client } = {}) =>
      change(id, 'job_retried', by, (jobs) => jobs.retry(id)),

    /** Deletes a job that does not run. @throws Problem `not_found`, `job_conflict` */
    discard: (id: string, by: { scope?: Scope; client?: Client } = {}) =>
      change(id, 'job_discarded', by, (jobs) => jobs.delete(id)),
  };
}

export type JobAdministration = ReturnType<typeof createJobAdministration>;

const toJob = ({ id, name, state, data, group_id, retry_count, retry_limit, output, ...times }: Job) => ({
  id,
  name: jobNameOf(name),
  state,
  user_id: group_id,
  data: data ?? {},
  attempts: retry_count + (times.started_on ? 1 : 0),
  attempts_max: retry_limit + 1,
  error: typeof output?.message === 'string' ? output.message : null,
  created_at: times.created_on,
  due_at: times.start_after,
  started_at: times.started_on,
  completed_at: times.completed_on,
});
