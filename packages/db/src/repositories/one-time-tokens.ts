import type { Insertable } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { TokenPurpose } from '../schema/values.ts';
import type { Context, OwnerContext } from './context.ts';
import { deleteOld } from './delete-old.ts';

export type NewOneTimeToken = Omit<Insertable<Tables['one_time_tokens']>, 'id'>;

/** A token as the link of a mail presents it. */
export interface PresentedOneTimeToken {
  userId: string;
  /** SHA-256 of the token. */
  hash: Uint8Array;
}

/** Tokens of links in mails. Only their hashes are stored, so a stolen table is useless. */
export const oneTimeTokens = ({ db, fast }: Context) => ({
  /** Stores the token of a user for this purpose. The previous one becomes void. */
  replace: (token: NewOneTimeToken) =>
    db
      .insertInto('one_time_tokens')
      .values({ id: newId(), ...token })
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

  /** Returns the active user of a valid token. Does not consume the token. */
  findOwner: (purpose: TokenPurpose, token: PresentedOneTimeToken, now: Date) =>
    fast
      .selectFrom('one_time_tokens')
      .innerJoin('users', (join) =>
        join.onRef('users.id', '=', 'one_time_tokens.user_id').onRef('users.email', '=', 'one_time_tokens.email'),
      )
      .select(['users.id', 'users.email', 'users.username'])
      .where('purpose', '=', purpose)
      .where('user_id', '=', token.userId)
      .where('token_hash', '=', token.hash)
      .where('expires_at', '>', now)
      .where('users.is_active', '=', true)
      .executeTakeFirst(),

  /** Consumes the token. Of concurrent calls, one gets the user and the address that the token was sent to; the others get undefined. */
  consume: (purpose: TokenPurpose, token: PresentedOneTimeToken, now: Date) =>
    db
      .deleteFrom('one_time_tokens')
      .where('purpose', '=', purpose)
      .where('user_id', '=', token.userId)
      .where('token_hash', '=', token.hash)
      .where('expires_at', '>', now)
      .returning(['user_id', 'email'])
      .executeTakeFirst(),

  /** Voids all tokens of a user, or those of one purpose. */
  deleteAllOf: (userId: string, purpose?: TokenPurpose) => {
    const query = db.deleteFrom('one_time_tokens').where('user_id', '=', userId);
    return (purpose === undefined ? query : query.where('purpose', '=', purpose)).execute();
  },

  /** Deletes at most `limit` expired tokens, except those that another transaction has locked. Resolves to their number. */
  deleteExpired: (before: Date, limit: number) =>
    deleteOld(db, { table: 'one_time_tokens', key: ['user_id', 'id'], column: 'expires_at' }, before, limit),
});

/** Tokens of the owner. */
export const ownOneTimeTokens = ({ scope, ...context }: OwnerContext) => {
  const { deleteAllOf } = oneTimeTokens(context);
  return {
    /** Voids all tokens, or those of one purpose. */
    deleteAll: (purpose?: TokenPurpose) => deleteAllOf(scope.owner.userId, purpose),
  };
};
