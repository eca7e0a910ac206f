import type { Database, Scope, SystemRepositories } from '@quoin/db';
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

/** Locks the admins, so that one stays if two admins remove each other at the same time. @throws Problem `last_admin` */
export async function keepAnAdmin({ users }: Pick<SystemRepositories, 'users'>, leaving: string): Promise<void> {
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving)
    throw new Problem('last_admin', 'Make another user an admin first.');
}
