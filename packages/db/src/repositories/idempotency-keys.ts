import { type Insertable, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

export type IdempotencyKey = Insertable<Tables['idempotency_keys']>;

/** Answers to requests with an Idempotency-Key. */
export const idempotencyKeys = ({ db, fast }: Context) => ({
  find: (userId: string, keyHash: Uint8Array) =>
    fast
      .selectFrom('idempotency_keys')
      .select(['fingerprint', 'status', 'headers', 'body'])
      .where('user_id', '=', userId)
      .where('key_hash', '=', keyHash)
      .executeTakeFirst(),

  /** Waits for a concurrent transaction with the same key. Violates `idempotency_keys_pkey` if that commits. */
  create: (key: IdempotencyKey) => db.insertInto('idempotency_keys').values(key).execute(),

  /** Inserts the answer unless the key has one. Resolves to whether it did. */
  createUnlessAnswered: async (key: IdempotencyKey) => {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('idempotency_keys')
      .values(key)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  },

  /** Deletes up to `limit` answers from before a time. Resolves to their number. */
  deleteBefore: async (time: Date, limit: number) => {
    const { numDeletedRows } = await db
      .deleteFrom('idempotency_keys')
      .where(
        sql`(user_id, key_hash)`,
        'in',
        sql`(
          select user_id, key_hash from idempotency_keys
          where created_at < ${time} order by created_at limit ${limit} for update skip locked)`,
      )
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  },
});
