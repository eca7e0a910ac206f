import { sql, type Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

/** The second factors of a user. */
export interface Factors {
  /** Whether an authenticator app is in force. */
  totp: boolean;
  passkeys: number;
  recovery_codes_left: number;
}

export type PendingTotp = Pick<Updateable<Tables['totps']>, 'pending_secret' | 'pending_session_id' | 'pending_until'>;

/** Second factors: authenticator apps and recovery codes. `passkeys.ts` has the third kind. */
export const factors = ({ db }: Context) => ({
  count: async (userId: string): Promise<Factors> => {
    const { rows } = await sql<Factors>`
      select exists (select from totps where user_id = ${userId} and secret is not null) as totp,
        (select count(*)::int from passkeys where user_id = ${userId}) as passkeys,
        (select count(*)::int from recovery_codes where user_id = ${userId}) as recovery_codes_left`.execute(db);
    const [row] = rows;
    if (!row) throw new Error('a select without from returned no row');
    return row;
  },

  /** Stores a secret that waits for its confirmation. A secret in force stays in force until then. */
  setPendingTotp: (user_id: string, pending: PendingTotp) =>
    db
      .insertInto('totps')
      .values({ user_id, ...pending })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(pending))
      .execute(),

  /** Returns the secret that waits for a confirmation in this session. */
  findPendingTotp: async (userId: string, sessionId: string, now: Date) => {
    const totp = await db
      .selectFrom('totps')
      .select('pending_secret')
      .where('user_id', '=', userId)
      .where('pending_session_id', '=', sessionId)
      .where('pending_until', '>', now)
      .executeTakeFirst();
    return totp?.pending_secret ?? undefined;
  },

  /** Returns the secret in force. */
  findTotp: async (userId: string) => {
    const totp = await db.selectFrom('totps').select('secret').where('user_id', '=', userId).executeTakeFirst();
    return totp?.secret ?? undefined;
  },

  /** Puts the pending secret in force, if it is still this one. Resolves to whether it did. */
  confirmTotp: async (userId: string, pendingSecret: Uint8Array, step: number) => {
    const { numUpdatedRows } = await db
      .updateTable('totps')
      .set({ secret: pendingSecret, pending_secret: null, last_step: String(step) })
      .where('user_id', '=', userId)
      .where('pending_secret', '=', pendingSecret)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Uses the code of a time step. Of concurrent uses of one code, one gets true. */
  useTotpStep: async (userId: string, secret: Uint8Array, step: number) => {
    const { numUpdatedRows } = await db
      .updateTable('totps')
      .set({ last_step: String(step) })
      .where('user_id', '=', userId)
      .where('secret', '=', secret)
      .where('last_step', '<', String(step))
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Resolves to whether the user had one in force. */
  deleteTotp: async (userId: string) => {
    const deleted = await db.deleteFrom('totps').where('user_id', '=', userId).returning('secret').executeTakeFirst();
    return Boolean(deleted?.secret);
  },

  /** Returns sealed secrets in the order of their users, after this one. */
  listTotps: (after: string, limit: number) =>
    db
      .selectFrom('totps')
      .select(['user_id', 'secret', 'pending_secret'])
      .where('user_id', '>', after)
      .orderBy('user_id')
      .limit(limit)
      .execute(),

  /** Replaces a sealed secret that has not changed meanwhile. */
  resealTotp: (userId: string, column: 'secret' | 'pending_secret', before: Uint8Array, after: Uint8Array) =>
    db
      .updateTable('totps')
      .set({ [column]: after })
      .where('user_id', '=', userId)
      .where(column, '=', before)
      .execute(),

  replaceRecoveryCodes: async (userId: string, hashes: readonly Uint8Array[]) => {
    await db.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
    if (hashes.length === 0) return;
    const values = sql`select ${userId}::uuid, unnest(${hashes}::bytea[])`;
    await db.insertInto('recovery_codes').columns(['user_id', 'code_hash']).expression(values).execute();
  },

  /** Uses a recovery code. Of concurrent uses, one gets true. */
  useRecoveryCode: async (userId: string, hash: Uint8Array) => {
    const { numDeletedRows } = await db
      .deleteFrom('recovery_codes')
      .where('user_id', '=', userId)
      .where('code_hash', '=', hash)
      .executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  },
});
