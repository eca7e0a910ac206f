import type { Insertable, Kysely } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';

export type TokenPurpose = 'reset_password' | 'verify_email';

export type NewOneTimeToken = Omit<Insertable<Tables['one_time_tokens']>, 'id'>;

/** Tokens of links in mails. They are looked for by their hash, so a stolen table opens nothing. */
export const oneTimeTokens = (db: Kysely<Tables>) => ({
  /** Makes the user's token for this purpose. The one before, if there is any, is good no more. */
  replace: (token: NewOneTimeToken) =>
    db
      .insertInto('one_time_tokens')
      .values({ id: v7(), ...token })
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'purpose']).doUpdateSet(({ ref }) => ({
          id: ref('excluded.id'),
          token_hash: ref('excluded.token_hash'),
          email: ref('excluded.email'),
          created_at: ref('excluded.created_at'),
          expires_at: ref('excluded.expires_at'),
        })),
      )
      .execute(),

  /** The active user whose token it is, if it is good at this moment. It is good afterwards as well: `consume` decides. */
  findOwner: (purpose: TokenPurpose, tokenHash: Uint8Array, now: Date) =>
    db
      .selectFrom('one_time_tokens')
      .innerJoin('users', (join) =>
        join.onRef('users.id', '=', 'one_time_tokens.user_id').onRef('users.email', '=', 'one_time_tokens.email'),
      )
      .select(['users.id', 'users.email', 'users.username'])
      .where('purpose', '=', purpose)
      .where('token_hash', '=', tokenHash)
      .where('expires_at', '>', now)
      .where('users.is_active', '=', true)
      .executeTakeFirst(),

  /** Uses the token up. Of any number at once, one gets its user and the address that it was sent to, and the others undefined. */
  consume: (purpose: TokenPurpose, tokenHash: Uint8Array, now: Date) =>
    db
      .deleteFrom('one_time_tokens')
      .where('purpose', '=', purpose)
      .where('token_hash', '=', tokenHash)
      .where('expires_at', '>', now)
      .returning(['user_id', 'email'])
      .executeTakeFirst(),

  /** Voids the token that was sent to this address, if one was. */
  deleteByEmail: (purpose: TokenPurpose, email: string) =>
    db.deleteFrom('one_time_tokens').where('purpose', '=', purpose).where('email', '=', email).execute(),

  /** Voids all of a user's tokens, or those of one purpose. */
  deleteAllOf: (userId: string, purpose?: TokenPurpose) => {
    const query = db.deleteFrom('one_time_tokens').where('user_id', '=', userId);
    return (purpose === undefined ? query : query.where('purpose', '=', purpose)).execute();
  },

  /** Deletes at most `limit` that have expired, passing over those that somebody else has locked. Resolves to how many. */
  deleteExpired: async (before: Date, limit: number) => {
    const { numDeletedRows } = await db
      .deleteFrom('one_time_tokens')
      .where('id', 'in', (inner) =>
        inner
          .selectFrom('one_time_tokens')
          .select('id')
          .where('expires_at', '<', before)
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  },
});
