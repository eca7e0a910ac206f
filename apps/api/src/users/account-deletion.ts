import type { Database, Scope, SystemRepositories, User, Versions } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, Problem } from '../http/errors.ts';
import { preconditionFailed } from '../http/preconditions.ts';
import { actorColumns } from './account-changes.ts';
import { wrongPassword } from './reauthentication.ts';

/** Accounts that one run of the job deletes. */
const accountsPerRun = 100;
const rowsPerBatch = 1_000;

interface Conditions {
  /** The hash that was verified, if any: the account must still have it. */
  passwordHash?: string | null;
  versions: Versions;
}

/** Deletes accounts: marks them, so that they are unusable from that moment, and deletes their rows in a job. */
export function createAccountDeletion({
  database,
  wake,
  clock,
}: {
  database: Database;
  /** Starts the job. */
  wake: () => void;
  clock: () => Date;
}) {
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
      });
      wake();
    },
  };
}

export type AccountDeletion = ReturnType<typeof createAccountDeletion>;

/**
 * Deletes the rows of marked accounts, in batches that lock little and for a short time. Resolves to the number of accounts.
 *
 * @throws Error if the database refused to delete one of them; the others are deleted
 */
export async function deleteMarkedAccounts(database: Database): Promise<number> {
  const { deletedAccounts } = database.system();
  const marked = await deletedAccounts.list(accountsPerRun);
  if (marked.length === 0) return 0;
  const tables = await deletedAccounts.dependentTables();
  const failures: unknown[] = [];
  for (const { id } of marked) await deleteRows(id).catch((error) => failures.push(error));
  if (failures.length > 0) throw new Error(`${failures.length} accounts were not deleted`, { cause: failures[0] });
  return marked.length;

  async function deleteRows(id: string) {
    for (const table of tables)
      for (let deleted = rowsPerBatch; deleted === rowsPerBatch; )
        deleted = await deletedAccounts.deleteRows(table, id, rowsPerBatch);
    await deletedAccounts.delete(id);
  }
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
