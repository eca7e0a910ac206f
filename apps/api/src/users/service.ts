import {
  type Database,
  type NewAuditEvent,
  type Repositories,
  type Scope,
  type User,
  violatedConstraint,
} from '@quoin/db';
import { byOneself } from '../auth/owner.ts';
import { type Client, noClient, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { found, notFound, Problem } from '../http/errors.ts';
import type { Pages } from '../http/page.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Outbox, Permit } from '../mail/outbox.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { NewUser, OwnChanges, UserChanges, UserQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  pages: Pages;
  outbox: Outbox;
  limiter: Limiter;
  clock: () => Date;
}

const perDay = (count: number) => ({ burst: count, perMinute: count / 1440 });
/** Each change of email can send two mails. */
const emailChanges = perDay(5);
/** Each change sends a mail. */
const passwordChanges = perDay(10);
/** Each change tells whether somebody has the username. */
const usernameChanges = perDay(10);
/** For so long after signing in, an admin need not send the password again. */
const freshMs = 10 * 60_000;

/** Accounts: one's own and, for admins, all of them. */
export function createUsers({ database, passwords, pages, outbox, limiter, clock }: Dependencies) {
  return {
    create,

    /** Creates an admin with this email, unless there is such an account. Resolves to whether it is new. */
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

    /** A new email, username or password needs the current password. */
    updateSelf: async (scope: Scope, { current_password, ...changes }: OwnChanges, client: Client) => {
      const self = await findSelf(scope);
      const isNewName = changes.username !== undefined && changes.username !== self.username;
      const isNewAddress = changes.email !== undefined && isNewEmail(changes.email, self);
      const isSensitive = changes.password !== undefined || isNewAddress || isNewName;
      // A password that is sent is always checked: a request that leaves it unchecked would reset the limit of guesses.
      if (isSensitive || current_password !== undefined) await requirePassword(scope, self, current_password, client);
      if (changes.password !== undefined) await limiter.take('password change', self.id, passwordChanges);
      if (isNewAddress) await limiter.take('email change', self.id, emailChanges);
      if (isNewName) await limiter.take('username change', self.id, usernameChanges);
      const row = await toRow(changes, self, client);
      if (Object.keys(row).length === 0) return self;

      const permits = await permitsFor(self, row);
      const changed = await withPermits(permits, () =>
        database.as(scope, async (repositories) => {
          const { users, userSessions } = repositories;
          const before = found(await users.lock(scope.userId));
          // The password that was proven, or the address that gets the mails, has changed in the meantime.
          if (isSensitive && before.password_hash !== self.password_hash) throw wrongPassword();
          if (isSensitive && before.email !== self.email) throw wrongPassword();
          await postNotices(repositories, permits, client);
          const user = found(await users.update(scope.userId, row));
          if ('password_hash' in row)
            await userSessions.revokeAll(user.id, 'password_changed', clock(), { except: scope.sessionId });
          await recordChange(repositories, before, row, permits, { ...byOneself(scope), ...client });
          return user;
        }),
      );
      outbox.wake();
      return changed;
    },

    deleteSelf: async (scope: Scope, currentPassword: string, client: Client) => {
      await requirePassword(scope, await findSelf(scope), currentPassword, client);
      await database.system(async (repositories) => {
        await keepAnAdmin(repositories, scope.userId);
        if (!(await repositories.users.delete(scope.userId))) throw notFound();
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
     * Deactivating ends the user's sessions. So does a new password, except for the session of the admin who sets it. An email, a username, a
     * password, the role and the activation can be set by an admin who has just signed in, or who sends their own password.
     *
     * @param scope undefined for the command line
     */
    update: async (
      scope: Scope | undefined,
      id: string,
      { current_password, ...changes }: UserChanges,
      client: Client,
    ) => {
      const target = found(await database.system(({ users }) => users.findById(id), { single: 'read' }));
      const isSensitive =
        changes.password !== undefined ||
        (changes.email !== undefined && isNewEmail(changes.email, target)) ||
        (changes.username !== undefined && changes.username !== target.username) ||
        (changes.is_admin !== undefined && changes.is_admin !== target.is_admin) ||
        (changes.is_active !== undefined && changes.is_active !== target.is_active);
      if (scope && (isSensitive || current_password !== undefined))
        await requireRecentProof(scope, current_password, client);
      const row = await toRow(changes, target, client);
      if (Object.keys(row).length === 0) return target;

      const permits = await permitsFor(target, row);
      const changed = await withPermits(permits, () =>
        database.system(async (repositories) => {
          const { users, userSessions } = repositories;
          if (row.is_active === false || row.is_admin === false) await keepAnAdmin(repositories, id);
          const user = found(await users.update(id, row));
          if (row.is_active === false) await userSessions.revokeAll(id, 'deactivated', clock());
          else if ('password_hash' in row)
            await userSessions.revokeAll(id, 'password_changed', clock(), { except: scope?.sessionId });
          await postNotices(repositories, permits, client);
          await recordChange(repositories, target, row, permits, { user_id: id, ...actorColumns(scope), ...client });
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
        await repositories.auditEvents.create({
          action: 'account_deleted',
          user_id: id,
          ...actorColumns(scope),
          ...client,
        });
      });
    },
  };

  /**
   * Creates an account and mails its owner, to verify the address.
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
    const permit = await outbox.permit('verify_email', newUser.email);
    const created = await withPermits({ notices: [], verification: permit }, () =>
      database.system(async ({ users, auditEvents, mails }) => {
        const user = await users.create({ ...newUser, password_hash });
        const details = user.is_admin ? { is_admin: true } : {};
        const event = { user_id: user.id, details, ...actorColumns(scope), ...client };
        await auditEvents.create({ action: 'account_created', ...event });
        await outbox.post({ mails }, permit, client);
        return user;
      }),
    );
    outbox.wake();
    return created;
  }

  async function findSelf(scope: Scope) {
    return found(await database.as(scope, ({ users }) => users.findById(scope.userId), { single: 'read' }));
  }

  async function requirePassword(scope: Scope, user: User, password: string | undefined, client: Client) {
    const caller = turnCallerOf(user.id, client);
    if (password !== undefined && (await passwords.verify(password, user.password_hash, caller))) return;
    if (password !== undefined)
      await database.as(
        scope,
        ({ auditEvents }) => auditEvents.create({ action: 'reauthentication_failed', ...byOneself(scope), ...client }),
        { single: 'write' },
      );
    throw wrongPassword();
  }

  /** A stolen token of an admin must not be enough to take over accounts. */
  async function requireRecentProof(scope: Scope, password: string | undefined, client: Client) {
    const isFresh = scope.authenticatedAt && clock().getTime() - scope.authenticatedAt.getTime() < freshMs;
    if (!isFresh || password !== undefined) await requirePassword(scope, await findSelf(scope), password, client);
  }

  /** The mails that a change sends: notices to the address from before, and a mail that verifies a new one. */
  async function permitsFor(before: User, row: Partial<User>): Promise<Permits> {
    const { email, password_hash, username } = row;
    const notice = (kind: Permit['kind']) => outbox.permit(kind, before.email);
    // An address that was never verified may be a stranger's.
    const isOwners = before.email_verified_at !== null;
    const notices = [
      ...(password_hash === undefined ? [] : [await notice('password_changed')]),
      ...(email === undefined || !isOwners ? [] : [await notice('email_changed')]),
      ...(username === undefined || username === before.username || !isOwners
        ? []
        : [await notice('username_changed')]),
    ];
    return { notices, ...(email !== undefined && { verification: await outbox.permit('verify_email', email) }) };
  }

  /** Runs a change. If it fails, its mails leave the room that they took in the buckets of their recipients. */
  async function withPermits<T>({ notices, verification }: Permits, work: () => Promise<T>): Promise<T> {
    try {
      return await mapUniqueViolation(work);
    } catch (error) {
      for (const permit of verification ? [...notices, verification] : notices) await outbox.release(permit);
      throw error;
    }
  }

  /** Row level security lets a user mail the address that the account has, so this comes before a change of it. */
  async function postNotices({ mails }: Repositories, { notices }: { notices: Permit[] }, client: Client) {
    for (const permit of notices) await outbox.post({ mails }, permit, client);
  }

  /** Records a change, and voids the tokens that were sent for an email or a password from before. */
  async function recordChange(
    { auditEvents, oneTimeTokens, mails }: Repositories,
    before: User,
    row: Partial<User>,
    { verification }: { verification?: Permit },
    event: Client & Pick<NewAuditEvent, 'user_id' | 'actor_id' | 'session_id'>,
  ) {
    const { email, email_verified_at: _, password_hash, username, ...others } = row;
    if (password_hash !== undefined) {
      await oneTimeTokens.deleteAllOf(before.id, 'reset_password');
      await auditEvents.create({ action: 'password_changed', ...event });
    }
    if (email !== undefined) {
      await oneTimeTokens.deleteAllOf(before.id);
      await auditEvents.create({ action: 'email_changed', ...event });
      if (verification) await outbox.post({ mails }, verification, event);
    }
    if (username !== undefined && username !== before.username)
      await auditEvents.create({ action: 'username_changed', ...event });
    if (Object.keys(others).length > 0) {
      const { is_active, is_admin } = others;
      await auditEvents.create({
        action: 'account_changed',
        details: { fields: Object.keys(others), is_active, is_admin },
        ...event,
      });
    }
  }

  /** The columns that change. A new email is not verified. */
  async function toRow({ password, email, ...rest }: Omit<UserChanges, 'current_password'>, now: User, client: Client) {
    const newEmail =
      email !== undefined && isNewEmail(email, now) ? { email: normalizeEmail(email), email_verified_at: null } : {};
    const row = { ...rest, ...newEmail };
    if (password === undefined) return row;
    await passwords.accept(password, { ...now, ...row });
    return { ...row, password_hash: await passwords.hash(password, turnCallerOf(now.id, client)) };
  }
}

export type Users = ReturnType<typeof createUsers>;

/** The mails that a change may send. */
interface Permits {
  notices: Permit[];
  verification?: Permit;
}

const wrongPassword = () => new Problem('wrong_password', 'Send your current password as current_password.');

/** The actor of an audit event: an admin, or nobody for a command and a registration. */
const actorColumns = (scope: Scope | undefined) => ({
  actor_id: scope?.userId ?? null,
  session_id: scope?.sessionId ?? null,
});

/** Re-sending the current email is not a change. */
const isNewEmail = (email: string, now: User) => normalizeEmail(email) !== now.email;

/** Locks the admins, so that of two who remove each other at once, one stays. */
async function keepAnAdmin({ users }: Repositories, leaving: string): Promise<void> {
  const admins = await users.lockActiveAdmins();
  if (admins.length === 1 && admins[0] === leaving) {
    throw new Problem('last_admin', 'Make somebody else an admin first.');
  }
}

/** Turns a violation of a unique index into the error of the contract. */
async function mapUniqueViolation<T>(work: () => Promise<T>): Promise<T> {
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
