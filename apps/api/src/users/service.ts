import { type Database, requireSession, type Scope, type User, type Versions } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, Problem } from '../http/errors.ts';
import { adminListMsMax, pageFrom, pageRequest } from '../http/page.ts';
import { requireRow, requireVersion } from '../http/preconditions.ts';
import type { Mail } from '../mail/mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { actorColumns, createAccountChanges, isNewEmail, mapUniqueViolation } from './account-changes.ts';
import { type AccountDeletion, keepAnAdmin } from './account-deletion.ts';
import { createReauthentication } from './reauthentication.ts';
import type { UserChanges, UserQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  mail: Mail;
  accountDeletion: AccountDeletion;
  clock: () => Date;
}

/** All accounts, for admins and commands. */
export function createUsers({ database, passwords, mail, accountDeletion, clock }: Dependencies) {
  const changesOf = createAccountChanges({ passwords, mail });
  const { requireRecentProof } = createReauthentication({ database, passwords, clock });

  return {
    list: async (query: UserQuery) => {
      const page = pageRequest('users', query);
      const { email, is_active, is_admin } = query;
      const rows = await database.replica
        .system()
        .transaction(({ users }) => users.list({ ...page, email, is_active, is_admin }), {
          statementMsMax: adminListMsMax,
        });
      return pageFrom('users', rows, page);
    },

    get: async (id: string) => found(await database.system().users.find(id)),

    /**
     * Deactivating ends the user's sessions. So does a new password, except for the session of the admin who sets it. Email, username, password, role and
     * activation require an admin who has just signed in, or who sends their own password.
     *
     * @param scope undefined for the command line
     */
    update: async (
      scope: Scope | undefined,
      id: string,
      { current_password, ...changes }: UserChanges,
      client: Client,
      versions?: Versions,
    ) => {
      const target = found(await database.system().users.find(id));
      if (scope && (isSensitiveChange(changes, target) || current_password !== undefined))
        await requireRecentProof(scope, current_password, client);
      const columns = await changesOf.columnsOf(changes, target, client);
      if (Object.keys(columns).length === 0) {
        requireVersion(target, versions);
        return target;
      }

      const updated = await mapUniqueViolation(() =>
        database.system(scope).transaction(async (repositories) => {
          const { users, userSessions, auditEvents, oneTimeTokens } = repositories;
          if (columns.is_active === false || columns.is_admin === false) await keepAnAdmin(repositories, id);
          const changed = await users.update(id, columns, versions);
          const user = await requireRow(versions, changed, () => users.find(id));
          if (columns.is_active === false) await userSessions.revokeAllOf(id, 'deactivated', clock());
          else if ('password_hash' in columns)
            await userSessions.revokeAllOf(id, 'password_changed', clock(), {
              except: scope && requireSession(scope).sessionId,
            });
          await changesOf.sendNotices(repositories.jobs, target, columns, client);
          const about = { user_id: id, ...actorColumns(scope), ...client };
          const records = {
            jobs: repositories.jobs,
            recordEvent: (event: Parameters<typeof auditEvents.create>[0]) =>
              auditEvents.create({ ...event, ...about }),
            voidTokens: (purpose?: Parameters<typeof oneTimeTokens.deleteAllOf>[1]) =>
              oneTimeTokens.deleteAllOf(id, purpose),
          };
          await changesOf.record(records, target, columns, client);
          return user;
        }),
      );
      mail.wake();
      return updated;
    },

    delete: async (scope: Scope, id: string, client: Client, versions: Versions) => {
      if (id === scope.actor.userId)
        throw new Problem('cannot_delete_self', 'Delete your own account with DELETE /users/me.');
      await accountDeletion.markDeleted(id, scope, client, { versions });
    },
  };
}

export type Users = ReturnType<typeof createUsers>;

const isSensitiveChange = ({ email, username, password, is_admin, is_active }: UserChanges, target: User) =>
  password !== undefined ||
  (email !== undefined && isNewEmail(email, target)) ||
  (username !== undefined && username !== target.username) ||
  (is_admin !== undefined && is_admin !== target.is_admin) ||
  (is_active !== undefined && is_active !== target.is_active);
