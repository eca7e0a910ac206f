import {
  type Database,
  type NewAuditEvent,
  type Repositories,
  type Scope,
  type User,
  violatedConstraint,
} from '@quoin/db';
import type { Passwords } from '../auth/password.ts';
import { type Client, noClient } from '../client.ts';
import { normalizeEmail } from '../email.ts';
import { found, notFound, Problem } from '../errors.ts';
import type { Outbox } from '../mail/outbox.ts';
import { byOneself } from '../owner.ts';
import type { Pages } from '../page.ts';
import type { NewUser, OwnChanges, UserChanges, UserQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  pages: Pages;
  outbox: Outbox;
  clock: () => Date;
}

/** Accounts: one's own, and for admins everybody's. */
export function createUsers({ database, passwords, pages, outbox, clock }: Dependencies) {
  return {
    create,

    /** Makes an admin of this email, unless there is such an account. Resolves to whether it is new. */
    ensureAdmin: async ({ email, password }: Pick<NewUser, 'email' | 'password'>): Promise<boolean> => {
      const existing = await database.system(({ users }) => users.findByEmail(normalizeEmail(email)), {
        single: 'read',
      });
      if (existing) return false;
      try {
        await create({ email, password, is_admin: true }, noClient);
        return true;
      } catch (error) {
        if (error instanceof Problem && error.code === 'email_taken') return false; // another process was quicker
        throw error;
      }
    },

    /** A new email or password counts only together with the current password. */
    updateSelf: async (scope: Scope, { current_password, ...changes }: OwnChanges, client: Client) => {
      const self = await findSelf(scope);
      const isSensitive =
        changes.password !== undefined || (changes.email !== undefined && isNewEmail(changes.email, self));
      if (isSensitive) await prove(scope, self, current_password, client);
      const row = await toRow(changes, self);
      if (Object.keys(row).length === 0) return self;

      const changed = await naming(() =>
        database.as(scope, async (repositories) => {
          const { users, userSessions } = repositories;
          const ifPasswordHash = isSensitive ? self.password_hash : undefined;
          const user = await users.update(scope.userId, row, { ifPasswordHash });
          if (!user) throw isSensitive ? wrongPassword() : notFound(); // in the meantime the password was changed, or the account deleted
          if ('password_hash' in row)
            await userSessions.revokeAll(user.id, 'password_changed', clock(), { except: scope.sessionId });
          await tell(repositories, self, row, { ...byOneself(scope), ...client });
          return user;
        }),
      );
      outbox.wake();
      return changed;
    },

    deleteSelf: async (scope: Scope, currentPassword: string, client: Client) => {
      await prove(scope, await findSelf(scope), currentPassword, client);
      await database.system(async (repositories) => {
        await keepAnAdmin(repositories, scope.userId);
        await repositories.users.delete(scope.userId);
        await repositories.auditEvents.create({ action: 'account_deleted', ...byOneself(scope), ...client });
      });
    },

    list: async (query: UserQuery) => {
      const page = pages.request('users', query);
      const { email, is_active, is_admin } = query;
      const rows = await database.system(({ users }) => users.list({ ...page, email, is_active, is_admin }), {
        single: 'read',
      });
      return pages.from('users', rows, page);
    },

    get: async (id: string) => found(await database.system(({ users }) => users.findById(id), { single: 'read' })),

    /**
     * Deactivating ends the user's sessions, and so does a new password, but for the session of who sets it.
     *
     * @param scope undefined where an operator does it from the command line
     */
    update: async (scope: Scope | undefined, id: string, changes: UserChanges, client: Client) => {
      const target = found(await database.system(({ users }) => users.findById(id), { single: 'read' }));
      const row = await toRow(changes, target);
      if (Object.keys(row).length === 0) return target;

      const changed = await naming(() =>
        database.system(async (repositories) => {
          const { users, userSessions } = repositories;
          if (row.is_active === false || row.is_admin === false) await keepAnAdmin(repositories, id);
          const user = found(await users.update(id, row));
          if (row.is_active === false) await userSessions.revokeAll(id, 'deactivated', clock());
          else if ('password_hash' in row)
            await userSessions.revokeAll(id, 'password_changed', clock(), { except: scope?.sessionId });
          await tell(repositories, target, row, { user_id: id, ...by(scope), ...client });
          return user;
        }),
      );
      outbox.wake();
      return changed;
    },

    delete: async (scope: Scope, id: string, client: Client) => {
      if (id === scope.userId)
        throw new Problem('cannot_delete_self', 'Delete your own account with DELETE /users/me.');
      await database.system(async (repositories) => {
        await keepAnAdmin(repositories, id);
        if (!(await repositories.users.delete(id))) throw notFound();
        await repositories.auditEvents.create({ action: 'account_deleted', user_id: id, ...by(scope), ...client });
      });
    },
  };

  /**
   * The account's owner is mailed, to verify the address.
   *
   * @param scope the admin who makes it; undefined where somebody makes their own
   * @throws Problem `email_taken`, `username_taken`, or `validation_failed` for a weak password
   */
  async function create({ password, email, ...rest }: NewUser, client: Client, scope?: Scope) {
    const newUser = { ...rest, email: normalizeEmail(email) };
    await passwords.accept(password, newUser);
    const password_hash = await passwords.hash(password);
    const created = await naming(() =>
      database.system(async ({ users, auditEvents, mails }) => {
        const user = await users.create({ ...newUser, password_hash });
        const details = user.is_admin ? { is_admin: true } : {};
        await auditEvents.create({ action: 'account_created', user_id: user.id, details, ...by(scope), ...client });
        await outbox.post({ mails }, 'verify_email', user.email, client);
        return user;
      }),
    );
    outbox.wake();
    return created;
  }

  async function findSelf(scope: Scope) {
    return found(await database.as(scope, ({ users }) => users.findById(scope.userId), { single: 'read' }));
  }

  async function prove(scope: Scope, user: User, password: string | undefined, client: Client) {
    if (password !== undefined && (await passwords.verify(password, user.password_hash))) return;
    if (password !== undefined)
      await database.as(
        scope,
        ({ auditEvents }) => auditEvents.create({ action: 'reauthentication_failed', ...byOneself(scope), ...client }),
        { single: 'write' },
      );
    throw wrongPassword();
  }

  /** Records a change, voids what hangs on an email or password that is no more, and tells the owner by mail: at the old address. */
  async function tell(
    { auditEvents, oneTimeTokens, mails }: Repositories,
    before: User,
    row: Partial<User>,
    who: Client & Pick<NewAuditEvent, 'user_id' | 'actor_id' | 'session_id'>,
  ) {
    const { email, email_verified_at: _, password_hash, ...others } = row;
    const { user_agent, ip_address, request_id } = who;
    const client = { user_agent, ip_address, request_id };
    if (password_hash !== undefined) {
      await oneTimeTokens.deleteAllOf(before.id, 'reset_password');
      await auditEvents.create({ action: 'password_changed', ...who });
      await outbox.post({ mails }, 'password_changed', before.email, client);
    }
    if (email !== undefined) {
      await oneTimeTokens.deleteAllOf(before.id);
      await auditEvents.create({ action: 'email_changed', ...who });
      await outbox.post({ mails }, 'email_changed', before.email, client);
      await outbox.post({ mails }, 'verify_email', email, client);
    }
    if (Object.keys(others).length > 0) {
      const { is_active, is_admin } = others;
      await auditEvents.create({
        action: 'account_changed',
        details: { fields: Object.keys(others), is_active, is_admin },
        ...who,
      });
    }
  }

  /** The columns that change: what is not sent stays out. A new email is not verified yet. */
  async function toRow({ password, email, ...rest }: UserChanges, now: User) {
    const newEmail =
      email !== undefined && isNewEmail(email, now) ? { email: normalizeEmail(email), email_verified_at: null } : {};
    const row = { ...rest, ...newEmail };
    if (password === undefined) return row;
    await passwords.accept(password, { ...now, ...row });
    return { ...row, password_hash: await passwords.hash(password) };
  }
}

export type Users = ReturnType<typeof createUsers>;

const wrongPassword = () =>
  new Problem(
    'wrong_password',
    'Send the current password to change the email or the password, or to delete the account.',
  );

/** The admin who does it, if it is one and no command. */
const by = (scope: Scope | undefined) => ({ actor_id: scope?.userId ?? null, session_id: scope?.sessionId ?? null });

/** Sent again as it is, it is none. */
const isNewEmail = (email: string, now: User) => normalizeEmail(email) !== now.email;

/** Under a lock, so that of two admins who remove each other at once one stays. */
async function keepAnAdmin({ users }: Repositories, leaving: string): Promise<void> {
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving) {
    throw new Problem('last_admin', 'Make somebody else an admin first.');
  }
}

/** The database decides whose an email or username is. */
async function naming<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const constraint = violatedConstraint(error);
    if (constraint === 'idx_users_email')
      throw new Problem('email_taken', 'Sign in with it, or choose another one.', { cause: error });
    if (constraint === 'idx_users_username')
      throw new Problem('username_taken', 'Choose another one.', { cause: error });
    throw error;
  }
}
