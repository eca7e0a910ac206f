import type { Database, OwnerRepositories } from '@quoin/db';
import { Type } from 'typebox';
import { deleteAll } from '../http/delete-all.ts';
import type { Jobs } from '../queue/jobs.ts';

const DeletionJob = Type.Object({ organization_id: Type.String() });

const hourMs = 3_600_000;
/** Deletions that one run enqueues. */
const overdueMax = 1_000;

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  clock: () => Date;
}

/** Deletes the rows of organizations that are marked as deleted, in batches that lock little and for a short time. */
export function createOrganizationDeletion({ database, jobs, clock }: Dependencies) {
  const job = jobs.define({
    name: 'delete organization',
    data: DeletionJob,
    isSerialized: true,
    retrySeconds: 60,
    timeoutSeconds: 3_600,
    run: async ({ data }) => deleteRowsOf(data.organization_id),
  });
  const deleteRowsOf = async (id: string): Promise<void> => {
    const { deletedAccounts, organizations } = database.system();
    for (const table of await deletedAccounts.dependentTables('organizations'))
      await deleteAll((limit) => deletedAccounts.deleteRows(table, id, limit));
    await organizations.delete(id);
  };
  const enqueue = async (repositories: Pick<OwnerRepositories, 'jobs'>, ids: readonly string[]) => {
    for (const id of ids) await job.enqueue(repositories, [{ organization_id: id }], { concurrencyKey: id });
  };

  return {
    /** Enqueues the deletion of marked organizations in the transaction of the caller. */
    enqueue,
    wake: job.wake,

    /** Deletes marked organizations now, for a command. */
    deleteNow: async (ids: readonly string[]) => {
      for (const id of ids) await deleteRowsOf(id);
    },

    /** Enqueues deletions that have no job, because an admin discarded it, or it failed for good. Resolves to their number. */
    enqueueOverdue: async () => {
      const overdue = await database
        .system()
        .organizations.listOverdue(new Date(clock().getTime() - hourMs), overdueMax);
      await enqueue(database.system(), overdue);
      job.wake();
      return overdue.length;
    },
  };
}

export type OrganizationDeletion = ReturnType<typeof createOrganizationDeletion>;
