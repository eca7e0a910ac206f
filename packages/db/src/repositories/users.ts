import { type Insertable, sql, type Updateable } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables, User as UserRow } from '../schema/tables.ts';
import { defaultPreferences } from '../schema/values.ts';
import type { Context } from './context.ts';
import { isLike, type PageRequest, paged, patternOf } from './page.ts';
import { hasVersion, type Versions, versionOf } from './version.ts';

const columns = [
  'users.id',
  'users.kind',
  'users.email',
  'users.username',
  'users.full_name',
  'users.is_active',
  'users.is_admin',
  'users.email_verified_at',
  'users.deletion_due_at',
  'users.created_at',
  'users.updated_at',
] as const;
/** Every column except the password hash: what may leave the server. */
export const userColumns = [...columns, versionOf('users')] as const;
const withHash = [...userColumns, 'users.password_hash'] as const;

/** An account that is not deleted. */
export type User = Omit<UserRow, HiddenColumn>;
/** Columns that no caller reads or writes by itself. */
type HiddenColumn = 'deleted_at' | 'webauthn_handle';
export type NewUser = Omit<
  Insertable<Tables['users']>,
  'id' | 'deletion_due_at' | HiddenColumn | 'created_at' | 'updated_at'
>;
export type UserChanges = Omit<
  Updateable<Tables['users']>,
  'id' | 'deletion_due_at' | HiddenColumn | 'created_at' | 'updated_at'
>;
export interface UserFilter {
  /** Part of the email address, regardless of case. */
  email?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
}

/** Accounts, except deleted ones. Unique indexes on the lower case make emails and usernames unique regardless of case. */
export const users = ({ db, fast }: Context) => ({
  find: (id: string) =>
    fast.selectFrom('users').select(withHash).where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst(),

  findByEmail: (email: string) =>
    fast.selectFrom('users').select(withHash).where(sql`lower(email)`, '=', email.toLowerCase()).executeTakeFirst(),

  /** Returns the locale of the account with this address. Returns the default if no account has the address, or if the account has no preferences. */
  findLocale: async (email: string): Promise<string> => {
    const preferences = await fast
      .selectFrom('users')
      .innerJoin('user_preferences', 'user_preferences.user_id', 'users.id')
      .select('locale')
      .where(sql`lower(email)`, '=', email.toLowerCase())
      .executeTakeFirst();
    return preferences?.locale ?? defaultPreferences.locale;
  },

  /** Finds by email or username. The two cannot collide, because a username has no `@`. */
  findByLogin: (name: string) =>
    fast
      .selectFrom('users')
      .select(withHash)
      .where((where) =>
        where.or([
          where(sql`lower(email)`, '=', name.toLowerCase()),
          where(sql`lower(username)`, '=', name.toLowerCase()),
        ]),
      )
      .executeTakeFirst(),

  /** Violates `idx_users_email` or `idx_users_username` if the name is taken. */
  create: (user: NewUser) =>
    db
      .insertInto('users')
      .values({ id: newId(), ...user })
      .returning(userColumns)
      .executeTakeFirstOrThrow(),

  /** Inserts the users whose email and username are free. Resolves to whether each one was inserted, in order. */
  createMany: async (newUsers: readonly NewUser[]): Promise<boolean[]> => {
    const rows = newUsers.map((user) => ({ id: newId(), is_active: true, is_admin: false, ...user }));
    // One parameter for any number of rows, so that the server prepares one statement.
    const created = await db
      .insertInto('users')
      .columns(['id', 'email', 'username', 'password_hash', 'full_name', 'is_active', 'is_admin', 'email_verified_at'])
      .expression(
        sql`select * from json_to_recordset(${JSON.stringify(rows)}::json) as row (
          id uuid, email text, username text, password_hash text, full_name text, is_active boolean, is_admin boolean,
          email_verified_at timestamptz)`,
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .execute();
    const ids = new Set(created.map(({ id }) => id));
    return rows.map(({ id }) => ids.has(id));
  },

  /** Newest first. */
  list: ({ email, is_active, is_admin, ...page }: UserFilter & PageRequest) => {
    let query = db.selectFrom('users').select(columns).where('deleted_at', 'is', null);
    if (email !== undefined) query = query.where(isLike('email', patternOf(email)));
    if (is_active !== undefined) query = query.where('is_active', '=', is_active);
    if (is_admin !== undefined) query = query.where('is_admin', '=', is_admin);
    return paged(query, page).execute();
  },

  /** @param versions changes the account only if it has one of them */
  update: (id: string, changes: UserChanges, versions?: Versions) =>
    db
      .updateTable('users')
      .set(changes)
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .where(hasVersion('users', versions))
      .returning(userColumns)
      .executeTakeFirst(),

  /** Returns the account and locks its row until the transaction ends. */
  lock: (id: string) =>
    db
      .selectFrom('users')
      .select(withHash)
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .forNoKeyUpdate()
      .executeTakeFirst(),

  /**
   * Verifies the address of an account, if it is active and still has this address. A password from before the proof may be that of an impostor who registered
   * the address first: it stops working, unless `keepsPassword` (the holder of the account sent the proof) or a new hash is given. With `verifies: false`, the address is
   * not verified.
   */
  proveMailbox: (
    id: string,
    email: string,
    now: Date,
    {
      password_hash,
      keepsPassword = false,
      verifies = true,
    }: { password_hash?: string; keepsPassword?: boolean; verifies?: boolean } = {},
  ) => {
    const provenHash = sql<string | null>`case when email_verified_at is not null then password_hash end`;
    return db
      .updateTable('users')
      .set({
        ...(password_hash ? { password_hash } : keepsPassword ? {} : { password_hash: provenHash }),
        ...(verifies && { email_verified_at: sql`coalesce(email_verified_at, ${now})` }),
      })
      .where('id', '=', id)
      .where('email', '=', email)
      .where('is_active', '=', true)
      .returning(userColumns)
      .executeTakeFirst();
  },

  /**
   * Resolves to whether the account still has this password. If so, locks its row until the transaction ends. So a new session either
   * exists before a change of the password, which revokes it, or is not created at all.
   */
  lockUnchanged: async (id: string, passwordHash: string) => {
    const unchanged = await db
      .selectFrom('users')
      .select('id')
      .where('id', '=', id)
      .where('password_hash', '=', passwordHash)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return unchanged !== undefined;
  },

  /** Returns the WebAuthn handle of an account. An account without one gets this one. */
  webauthnHandle: async (id: string, handle: Uint8Array) => {
    await db
      .updateTable('users')
      .set({ webauthn_handle: handle })
      .where('id', '=', id)
      .where('webauthn_handle', 'is', null)
      .execute();
    const user = await db.selectFrom('users').select('webauthn_handle').where('id', '=', id).executeTakeFirst();
    return user?.webauthn_handle ?? undefined;
  },

  /**
   * Locks all active admins who can sign in until the transaction ends and returns their ids. A transaction that removes an admin waits here for another one, and then sees who is
   * left. The order of ids prevents deadlocks.
   */
  lockActiveAdmins: async () => {
    const admins = await db
      .selectFrom('users')
      .select('id')
      .where('is_admin', '=', true)
      .where('is_active', '=', true)
      .where('kind', '=', 'person')
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    return admins.map(({ id }) => id);
  },
});
