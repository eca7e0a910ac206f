import type { Database, Scope, SystemRepositories, User, Versions } from '@quoin/db';
import { Type } from 'typebox';
import type { Client } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { found, Problem } from '../http/errors.ts';
import { preconditionFailed } from '../http/preconditions.ts';
import { forEach, type JobKind } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import { actorColumns } from './account-changes.ts';
import { wrongPassword } from './reauthentication.ts';

interface Conditions {
  /** The hash that was verified, if any: the account must still have it. */
  passwordHash?: string | null;
  versions: Versions;
}

/** The account is the user of the job. */
export const DeletionJob = Type.Object({});

/** Deletes accounts: marks them, so that they are unusable from that moment, and deletes their rows in a job. */
export function createAccountDeletion({
  database,
  jobs,
  clock,
}: {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  clock: () => Date;
}) {
  const deletionJob: JobKind<object> = jobs.define({
    name: 'delete account',
    data: DeletionJob,
    retrySeconds: 60,
    timeoutSeconds: 3_600,
    run: forEach(async ({ userId }) => {
      if (userId) await deleteMarkedAccount(database, userId);
    }),
  });
  return {
    /** @throws Problem `last_admin`, `not_found`, `wrong_password`, `precondition_failed` */
    markDeleted: async (id: string, scope: Scope, client: Client, { passwordHash, versions }: Conditions) => {
      await database.system(scope).transaction(async (repositories) => {
        await keepAnAdmin(repositories, id);
        if (!(await repositories.deletedAccounts.mark(id, clock(), { passwordHash, versions }))) {
          const { password_hash } = found(await repositories.users.find(id));
          throw passwordHash && passwordHash !== password_hash ? wrongPassword() : preconditionFailed();
        }
        const event = { user_id: id, ...actorColumns(scope), ...client };
        await repositories.auditEvents.create({ action: 'account_deleted', ...event });
        await deletionJob.enqueue(repositories, [{}], { userId: id });
      });
      deletionJob.wake();
    },
  };
}

export type AccountDeletion = ReturnType<typeof createAccountDeletion>;

/** Deletes the rows of a marked account, in batches that lock little and for a short time. */
export async function deleteMarkedAccount(database: Database, id: string): Promise<void> {
  const { deletedAccounts } = database.system();
  for (const table of await deletedAccounts.dependentTables())
    await deleteAll((limit) => deletedAccounts.deleteRows(table, id, limit));
  await deletedAccounts.delete(id);
}

/**
 * Locks the admins if an admin leaves, so that one stays if two of them remove each other at the same time. Anybody else leaves without waiting for them.
 *
 * @throws Problem `last_admin`
 */
export async function keepAnAdmin({ users }: Pick<SystemRepositories, 'users'>, leaving: string): Promise<void> {
  const isAdmin = (user: User | undefined) => user?.is_admin && user.is_active && user.kind === 'person';
  // The second look, under the lock of the row, is for a user who becomes an admin at this moment. The first one gives concurrent admins one order of locks.
  if (!isAdmin(await users.find(leaving)) && !isAdmin(await users.lock(leaving))) return;
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving)
    throw new Problem('last_admin', 'Make another user an admin first.');
}
