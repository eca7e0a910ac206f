import { type Database, type Repositories, type Scope, type User, violatedConstraint } from '@quoin/db';
import type { Passwords } from '../auth/password.ts';
import { normalizeEmail } from '../email.ts';
import { found, notFound, Problem } from '../errors.ts';
import type { Pages } from '../page.ts';
import type { NewUser, OwnChanges, UserChanges, UserQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  pages: Pages;
  clock: () => Date;
}

/** Accounts: one's own, and for admins everybody's. */
export function createUsers({ database, passwords, pages, clock }: Dependencies) {
  return {
    create,

    /** Makes an admin of this email, unless there is such an account. Resolves to whether it is new. */
    ensureAdmin: async ({ email, password }: Pick<NewUser, 'email' | 'password'>): Promise<boolean> => {
      const existing = await database.system(({ users }) => users.findByEmail(normalizeEmail(email)));
      if (existing) return false;
      try {
        await create({ email, password, is_admin: true });
        return true;
      } catch (error) {
        if (error instanceof Problem && error.code === 'email_taken') return false; // another process was quicker
        throw error;
      }
    },

    /** A new email or password counts only together with the current password. */
    updateSelf: async (scope: Scope, { current_password, ...changes }: OwnChanges) => {
      const self = await findSelf(scope);
      const isSensitive =
        changes.password !== undefined || (changes.email !== undefined && isNewEmail(changes.email, self));
      if (isSensitive) await prove(self, current_password);
      const row = await toRow(changes, self);
      if (Object.keys(row).length === 0) return self;

      return naming(() =>
        database.as(scope, async ({ users, userSessions }) => {
          const ifPasswordHash = isSensitive ? self.password_hash : undefined;
          const user = await users.update(scope.userId, row, { ifPasswordHash });
          if (!user) throw isSensitive ? wrongPassword() : notFound(); // in the meantime the password was changed, or the account deleted
          if ('password_hash' in row)
            await userSessions.revokeAll(user.id, 'password_changed', clock(), { except: scope.sessionId });
          return user;
        }),
      );
    },

    deleteSelf: async (scope: Scope, currentPassword: string) => {
      await prove(await findSelf(scope), currentPassword);
      await database.system(async (repositories) => {
        await keepAnAdmin(repositories, scope.userId);
        await repositories.users.delete(scope.userId);
      });
    },

    list: async (query: UserQuery) => {
      const page = pages.request('users', query);
      const { email, is_active, is_admin } = query;
      const rows = await database.system(({ users }) => users.list({ ...page, email, is_active, is_admin }));
      return pages.from('users', rows, page);
    },

    get: async (id: string) => found(await database.system(({ users }) => users.findById(id))),

    /**
     * Deactivating ends the user's sessions, and so does a new password, but for the session of who sets it.
     *
     * @param scope undefined where an operator does it from the command line
     */
    update: async (scope: Scope | undefined, id: string, changes: UserChanges) => {
      const target = found(await database.system(({ users }) => users.findById(id)));
      const row = await toRow(changes, target);
      if (Object.keys(row).length === 0) return target;

      return naming(() =>
        database.system(async (repositories) => {
          const { users, userSessions } = repositories;
          if (row.is_active === false || row.is_admin === false) await keepAnAdmin(repositories, id);
          const user = found(await users.update(id, row));
          if (row.is_active === false) await userSessions.revokeAll(id, 'deactivated', clock());
          else if ('password_hash' in row)
            await userSessions.revokeAll(id, 'password_changed', clock(), { except: scope?.sessionId });
          return user;
        }),
      );
    },

    delete: async (scope: Scope, id: string) => {
      if (id === scope.userId)
        throw new Problem('cannot_delete_self', 'Delete your own account with DELETE /users/me.');
      await database.system(async (repositories) => {
        await keepAnAdmin(repositories, id);
        if (!(await repositories.users.delete(id))) throw notFound();
      });
    },
  };

  /** @throws Problem `email_taken`, `username_taken`, or `validation_failed` for a weak password */
  async function create({ password, email, ...rest }: NewUser) {
    const user = { ...rest, email: normalizeEmail(email) };
    passwords.accept(password, user);
    const password_hash = await passwords.hash(password);
    return naming(() => database.system(({ users }) => users.create({ ...user, password_hash })));
  }

  async function findSelf(scope: Scope) {
    return found(await database.as(scope, ({ users }) => users.findById(scope.userId)));
  }

  async function prove(user: User, password: string | undefined) {
    if (password === undefined || !(await passwords.verify(password, user.password_hash))) throw wrongPassword();
  }

  /** The columns that change: what is not sent stays out. A new email is not verified yet. */
  async function toRow({ password, email, ...rest }: UserChanges, now: User) {
    const newEmail =
      email !== undefined && isNewEmail(email, now) ? { email: normalizeEmail(email), email_verified_at: null } : {};
    const row = { ...rest, ...newEmail };
    if (password === undefined) return row;
    passwords.accept(password, { ...now, ...row });
    return { ...row, password_hash: await passwords.hash(password) };
  }
}

export type Users = ReturnType<typeof createUsers>;

const wrongPassword = () =>
  new Problem(
    'wrong_password',
    'Send the current password to change the email or the password, or to delete the account.',
  );

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
