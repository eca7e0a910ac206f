import { type Insertable, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

export type IdempotencyKey = Insertable<Tables['idempotency_keys']>;

/**
 * Inserts the answer at the end of a transaction. Waits for a concurrent transaction with the same key, and violates `idempotency_keys_pkey` if that commits. A
 * text, because it has to be sent before the commit that follows: a query builder may send it later.
 */
export const insertAnswer =
  'insert into idempotency_keys (user_id, key_hash, fingerprint, status, headers, body) values ($1, $2, $3, $4, $5, $6)';

/** Answers to requests with an Idempotency-Key. */
export const idempotencyKeys = ({ db, fast }: Context) => ({
  find: (userId: string, keyHash: Uint8Array) =>
    fast
      .selectFrom('idempotency_keys')
      .select(['fingerprint', 'status', 'headers', 'body'])
      .where('user_id', '=', userId)
      .where('key_hash', '=', keyHash)
      .executeTakeFirst(),

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
