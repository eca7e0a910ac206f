import type { Database, Scope, SystemRepositories, User } from '@quoin/db';
import { type Client, noClient, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { found, notFound, Problem } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { createAccountChanges, isNewEmail } from './account-changes.ts';
import { createReauthentication, wrongPassword } from './reauthentication.ts';
import type { NewUser, OwnChanges, UserChanges, UserQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  outbox: Outbox;
  limiter: Limiter;
  clock: () => Date;
}

const perDay = (count: number) => ({ burst: count, perMinute: count / 1440 });
/** Each change of email can send two mails. */
const emailChanges = perDay(5);
/** Each change sends a mail. */
const passwordChanges = perDay(10);
/** Each change reveals whether a username is taken. */
const usernameChanges = perDay(10);

/** Accounts: the caller's own and, for admins, all of them. */
export function createUsers({ database, passwords, outbox, limiter, clock }: Dependencies) {
  const changesOf = createAccountChanges({ passwords, outbox });
  const { requirePassword, requireRecentProof } = createReauthentication({ database, passwords, clock });

  return {
    create,

    /** Creates an admin unless the account exists. Resolves to whether it created one. */
    ensureAdmin: async ({ email, password }: Pick<NewUser, 'email' | 'password'>): Promise<boolean> => {
      if (await database.system().users.findByEmail(normalizeEmail(email))) return false;
      try {
        await create({ email, password, is_admin: true }, noClient);
        return true;
      } catch (error) {
        // Another process has just created it.
        if (error instanceof Problem && error.code === 'email_taken') return false;
        throw error;
      }
    },

    /** A new email, username or password requires the current password. */
    updateSelf: async (scope: Scope, { current_password, ...changes }: OwnChanges, client: Client) => {
      const self = found(await database.as(scope).account.find());
      const isNewName = changes.username !== undefined && changes.username !== self.username;
      const isNewAddress = changes.email !== undefined && isNewEmail(changes.email, self);
      const isSensitive = changes.password !== undefined || isNewAddress || isNewName;
      // A password that is sent is always checked. Otherwise such a request would reset the limit of guesses.
      if (isSensitive || current_password !== undefined) await requirePassword(scope, self, current_password, client);
      if (changes.password !== undefined) await limiter.take('password change', self.id, passwordChanges);
      if (isNewAddress) await limiter.take('email change', self.id, emailChanges);
      if (isNewName) await limiter.take('username change', self.id, usernameChanges);
      const columns = await changesOf.columnsOf(changes, self, client);
      if (Object.keys(columns).length === 0) return self;

      const mails = await changesOf.mailsOf(self, columns);
      return changesOf.withMails(mails, () =>
        database
          .as(scope)
          .transaction(async ({ account, userSessions, mails: outgoing, auditEvents, oneTimeTokens }) => {
            const before = found(await account.lock());
            // The password that was checked, or the address that gets the mails, has changed meanwhile.
            if (isSensitive && (before.password_hash !== self.password_hash || before.email !== self.email))
              throw wrongPassword();
            await changesOf.postNotices(outgoing, mails, client);
            const user = found(await account.update(columns));
            if ('password_hash' in columns)
              await userSessions.revokeAll('password_changed', clock(), { except: scope.actor.sessionId });
            const recordEvent = (event: Parameters<typeof auditEvents.create>[0]) =>
              auditEvents.create({ ...event, ...client });
            const records = { mails: outgoing, recordEvent, voidTokens: oneTimeTokens.deleteAll };
            await changesOf.record(records, before, columns, mails, client);
            return user;
          }),
      );
    },

    deleteSelf: async (scope: Scope, currentPassword: string, client: Client) => {
      const self = found(await database.as(scope).account.find());
      await requirePassword(scope, self, currentPassword, client);
      await deleteAccount(self.id, scope, client);
    },

    list: async (query: UserQuery) => {
      const page = pageRequest('users', query);
      const { email, is_active, is_admin } = query;
      return pageFrom('users', await database.system().users.list({ ...page, email, is_active, is_admin }), page);
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
    ) => {
      const target = found(await database.system().users.find(id));
      if (scope && (isSensitiveChange(changes, target) || current_password !== undefined))
        await requireRecentProof(scope, current_password, client);
      const columns = await changesOf.columnsOf(changes, target, client);
      if (Object.keys(columns).length === 0) return target;

      const mails = await changesOf.mailsOf(target, columns);
      return changesOf.withMails(mails, () =>
        database.system().transaction(async (repositories) => {
          const { users, userSessions, auditEvents, oneTimeTokens } = repositories;
          if (columns.is_active === false || columns.is_admin === false) await keepAnAdmin(repositories, id);
          const user = found(await users.update(id, columns));
          if (columns.is_active === false) await userSessions.revokeAllOf(id, 'deactivated', clock());
          else if ('password_hash' in columns)
            await userSessions.revokeAllOf(id, 'password_changed', clock(), { except: scope?.actor.sessionId });
          await changesOf.postNotices(repositories.mails, mails, client);
          const about = { user_id: id, ...actorColumns(scope), ...client };
          const records = {
            mails: repositories.mails,
            recordEvent: (event: Parameters<typeof auditEvents.create>[0]) =>
              auditEvents.create({ ...event, ...about }),
            voidTokens: (purpose?: Parameters<typeof oneTimeTokens.deleteAllOf>[1]) =>
              oneTimeTokens.deleteAllOf(id, purpose),
          };
          await changesOf.record(records, target, columns, mails, client);
          return user;
        }),
      );
    },

    delete: async (scope: Scope, id: string, client: Client) => {
      if (id === scope.actor.userId)
        throw new Problem('cannot_delete_self', 'Delete your own account with DELETE /users/me.');
      await deleteAccount(id, scope, client);
    },
  };

  /**
   * Creates an account and mails its owner to verify the address.
   *
   * @param scope the admin who creates it; undefined for a registration and for a command
   * @throws Problem `email_taken`, `username_taken`, or `validation_failed` for a weak password
   */
  async function create({ password, email, current_password, ...rest }: NewUser, client: Client, scope?: Scope) {
    if (scope && (rest.is_admin || current_password !== undefined))
      await requireRecentProof(scope, current_password, client);
    const newUser = { ...rest, email: normalizeEmail(email) };
    await passwords.accept(password, newUser);
    const password_hash = await passwords.hash(password, turnCallerOf(newUser.email, client));
    const verification = await outbox.permit('verify_email', newUser.email);
    return changesOf.withMails({ notices: [], verification }, () =>
      database.system().transaction(async ({ users, auditEvents, mails }) => {
        const user = await users.create({ ...newUser, password_hash });
        const details = user.is_admin ? { is_admin: true } : {};
        const event = { user_id: user.id, details, ...actorColumns(scope), ...client };
        await auditEvents.create({ action: 'account_created', ...event });
        await outbox.post({ mails }, verification, client);
        return user;
      }),
    );
  }

  async function deleteAccount(id: string, scope: Scope, client: Client) {
    await database.system().transaction(async (repositories) => {
      await keepAnAdmin(repositories, id);
      if (!(await repositories.users.delete(id))) throw notFound();
      const event = { user_id: id, ...actorColumns(scope), ...client };
      await repositories.auditEvents.create({ action: 'account_deleted', ...event });
    });
  }
}

export type Users = ReturnType<typeof createUsers>;

/** The actor of an audit event; nulls for a command and for a registration. */
const actorColumns = (scope: Scope | undefined) => ({
  actor_id: scope?.actor.userId ?? null,
  session_id: scope?.actor.sessionId ?? null,
});

const isSensitiveChange = ({ email, username, password, is_admin, is_active }: UserChanges, target: User) =>
  password !== undefined ||
  (email !== undefined && isNewEmail(email, target)) ||
  (username !== undefined && username !== target.username) ||
  (is_admin !== undefined && is_admin !== target.is_admin) ||
  (is_active !== undefined && is_active !== target.is_active);

/** Locks the admins, so that one stays if two admins remove each other at the same time. @throws Problem `last_admin` */
async function keepAnAdmin({ users }: Pick<SystemRepositories, 'users'>, leaving: string): Promise<void> {
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving)
    throw new Problem('last_admin', 'Make another user an admin first.');
}
