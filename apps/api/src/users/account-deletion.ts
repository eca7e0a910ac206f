import type { Database, Scope, SystemRepositories, User } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { notFound, Problem } from '../http/errors.ts';
import { actorColumns } from './account-changes.ts';
import { wrongPassword } from './reauthentication.ts';

/**
 * Deletes an account.
 *
 * @param passwordHash the hash that was verified, if any: the account must still have it
 * @throws Problem `last_admin`, `not_found`, `wrong_password`
 */
export async function deleteAccount(
  database: Database,
  id: string,
  scope: Scope,
  client: Client,
  { passwordHash }: { passwordHash?: string | null } = {},
): Promise<void> {
  await database.system().transaction(async (repositories) => {
    await keepAnAdmin(repositories, id);
    if (passwordHash && !(await repositories.users.lockUnchanged(id, passwordHash))) throw wrongPassword();
    if (!(await repositories.users.delete(id))) throw notFound();
    const event = { user_id: id, ...actorColumns(scope), ...client };
    await repositories.auditEvents.create({ action: 'account_deleted', ...event });
  });
}

/**
 * Locks the admins if an admin leaves, so that one stays if two of them remove each other at the same time. Anybody else leaves without waiting for them.
 *
 * @throws Problem `last_admin`
 */
export async function keepAnAdmin({ users }: Pick<SystemRepositories, 'users'>, leaving: string): Promise<void> {
  const isAdmin = (user: User | undefined) => user?.is_admin && user.is_active;
  // The second look, under the lock of the row, is for a user who becomes an admin at this moment. The first one gives concurrent admins one order of locks.
  if (!isAdmin(await users.find(leaving)) && !isAdmin(await users.lock(leaving))) return;
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving)
    throw new Problem('last_admin', 'Make another user an admin first.');
}
