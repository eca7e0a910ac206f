import type { Insertable, Selectable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { ChallengePurpose } from '../schema/values.ts';
import type { Context } from './context.ts';
import { deleteOld } from './delete-old.ts';

export type NewChallenge = Omit<Insertable<Tables['challenges']>, 'attempts'>;
/** A challenge that somebody tries to answer. */
export type Challenge = Pick<Selectable<Tables['challenges']>, 'user_id' | 'email' | 'data'>;

const columns = ['user_id', 'email', 'data'] as const;

/** Steps of signing in that wait for the next one. They are found by the hash of a secret that the client has. */
export const challenges = ({ db }: Context) => ({
  /** A challenge for an address replaces the previous one of this address. */
  create: (challenge: NewChallenge) =>
    db
      .insertInto('challenges')
      .values(challenge)
      .onConflict((conflict) =>
        conflict.column('email').doUpdateSet(({ ref }) => ({
          token_hash: ref('excluded.token_hash'),
          user_id: ref('excluded.user_id'),
          data: ref('excluded.data'),
          attempts: 0,
          created_at: ref('excluded.created_at'),
          expires_at: ref('excluded.expires_at'),
        })),
      )
      .execute(),

  /** Counts a try and returns the challenge. Undefined if it has expired, was used, or has had too many tries. */
  try: (purpose: ChallengePurpose, tokenHash: Uint8Array, now: Date, attemptsMax: number) =>
    db
      .updateTable('challenges')
      .set(({ eb }) => ({ attempts: eb('attempts', '+', 1) }))
      .where('token_hash', '=', tokenHash)
      .where('purpose', '=', purpose)
      .where('expires_at', '>', now)
      .where('attempts', '<', attemptsMax)
      .returning(columns)
      .executeTakeFirst(),

  /** Consumes a challenge. Of concurrent calls, one gets it; the others get undefined. */
  consume: (purpose: ChallengePurpose, tokenHash: Uint8Array, now: Date) =>
    db
      .deleteFrom('challenges')
      .where('token_hash', '=', tokenHash)
      .where('purpose', '=', purpose)
      .where('expires_at', '>', now)
      .returning(columns)
      .executeTakeFirst(),

  /** Returns the hash of the challenge of an address. */
  findByEmail: (email: string, now: Date) =>
    db
      .selectFrom('challenges')
      .select('token_hash')
      .where('email', '=', email)
      .where('expires_at', '>', now)
      .executeTakeFirst(),

  /** Replaces what a challenge was made for. */
  setData: (tokenHash: Uint8Array, data: Record<string, unknown>) =>
    db.updateTable('challenges').set({ data }).where('token_hash', '=', tokenHash).execute(),

  /** Deletes at most `limit` expired challenges, except those that another transaction has locked. Resolves to their number. */
  deleteExpired: (before: Date, limit: number) =>
    deleteOld(db, { table: 'challenges', key: ['token_hash'], column: 'expires_at' }, before, limit),
});
