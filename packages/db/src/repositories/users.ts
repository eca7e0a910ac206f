import { type Insertable, type Kysely, sql, type Updateable } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';
import { containing, isLike, type PageRequest, paged } from './page.ts';

/** Every column but the password's hash: what most callers want, and what may be shown. */
export const userColumns = [
  'users.id',
  'users.email',
  'users.username',
  'users.full_name',
  'users.is_active',
  'users.is_admin',
  'users.email_verified_at',
  'users.created_at',
  'users.updated_at',
] as const;

const withHash = [...userColumns, 'users.password_hash'] as const;

export type NewUser = Omit<Insertable<Tables['users']>, 'id' | 'created_at' | 'updated_at'>;
export type UserChanges = Omit<Updateable<Tables['users']>, 'id' | 'created_at' | 'updated_at'>;
export interface UserFilter {
  /** A part of the email, in any case. */
  email?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
}

/** Accounts. Emails and usernames are compared without case, by the unique indexes on their lower case. */
export const users = (db: Kysely<Tables>) => ({
  findById: (id: string) => db.selectFrom('users').select(withHash).where('id', '=', id).executeTakeFirst(),

  findByEmail: (email: string) =>
    db.selectFrom('users').select(withHash).where(sql`lower(email)`, '=', email.toLowerCase()).executeTakeFirst(),

  /** By email or username; no username can be an email, since `@` is not among its characters. */
  findByLogin: (name: string) =>
    db
      .selectFrom('users')
      .select(withHash)
      .where((where) =>
        where.or([
          where(sql`lower(email)`, '=', name.toLowerCase()),
          where(sql`lower(username)`, '=', name.toLowerCase()),
        ]),
      )
      .executeTakeFirst(),

  /** Violates `idx_users_email` or `idx_users_username` where the name is taken. */
  create: (user: NewUser) =>
    db
      .insertInto('users')
      .values({ id: v7(), ...user })
      .returning(userColumns)
      .executeTakeFirstOrThrow(),

  /** Those whose email and username nobody has, in one statement. Resolves to which of them, by their place, are new. */
  createMany: async (newUsers: readonly NewUser[]): Promise<boolean[]> => {
    const rows = newUsers.map((user) => ({ id: v7(), ...user }));
    const created = await db
      .insertInto('users')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .execute();
    const ids = new Set(created.map(({ id }) => id));
    return rows.map(({ id }) => ids.has(id));
  },

  /** Newest first. */
  list: ({ email, is_active, is_admin, ...page }: UserFilter & PageRequest) => {
    let query = db.selectFrom('users').select(userColumns);
    if (email !== undefined) query = query.where(isLike('email', containing(email)));
    if (is_active !== undefined) query = query.where('is_active', '=', is_active);
    if (is_admin !== undefined) query = query.where('is_admin', '=', is_admin);
    return paged(query, page).execute();
  },

  /** Changes what is given. */
  update: (id: string, changes: UserChanges) =>
    db.updateTable('users').set(changes).where('id', '=', id).returning(userColumns).executeTakeFirst(),

  /** The account as it is now. Nobody else changes it until the transaction ends. */
  lock: (id: string) =>
    db.selectFrom('users').select(withHash).where('id', '=', id).forNoKeyUpdate().executeTakeFirst(),

  /**
   * Verifies the address of an account, if it is active and still has this address. A password that was set before the address was proven may be
   * that of an impostor who registered the address first: it stops working, unless `keepsPassword` (the request came from a session of the
   * account) or a new hash is given.
   */
  proveMailbox: (
    id: string,
    email: string,
    now: Date,
    { password_hash, keepsPassword = false }: { password_hash?: string; keepsPassword?: boolean } = {},
  ) => {
    const provenHash = sql<string | null>`case when email_verified_at is not null then password_hash end`;
    return db
      .updateTable('users')
      .set({
        ...(password_hash ? { password_hash } : keepsPassword ? {} : { password_hash: provenHash }),
        email_verified_at: sql`coalesce(email_verified_at, ${now})`,
      })
      .where('id', '=', id)
      .where('email', '=', email)
      .where('is_active', '=', true)
      .returning(userColumns)
      .returning(sql<boolean>`password_hash is not null`.as('has_password'))
      .executeTakeFirst();
  },

  /**
   * Whether the account is active and has still this password; if so, nobody else changes that until the transaction ends. What hangs on
   * the password (a new session) is then either there before a change of it, and ended by it, or not made at all.
   */
  lockUnchanged: async (id: string, passwordHash: string) => {
    const unchanged = await db
      .selectFrom('users')
      .select('id')
      .where('id', '=', id)
      .where('password_hash', '=', passwordHash)
      .where('is_active', '=', true)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return unchanged !== undefined;
  },

  /** Deletes the account and, through the foreign keys, all that hangs on it. Resolves to whether there was one. */
  delete: async (id: string) => {
    const { numDeletedRows } = await db.deleteFrom('users').where('id', '=', id).executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  },

  /**
   * The ids of all active admins, locked until the transaction ends: whoever wants to take one away waits here, and then sees
   * who is left. In order of id, so that two of them cannot wait for each other.
   */
  lockActiveAdmins: async () => {
    const admins = await db
      .selectFrom('users')
      .select('id')
      .where('is_admin', '=', true)
      .where('is_active', '=', true)
      .orderBy('id')
      .forUpdate()
      .execute();
    return admins.map(({ id }) => id);
  },
});
