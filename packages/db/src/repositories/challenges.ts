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
  create: (challenge: NewChallenge) => db.insertInto('challenges').values(challenge).execute(),

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

  /** Gives a challenge an address and data, in place of the previous challenge of the address. Resolves to false if it has expired. */
  assign: async (tokenHash: Uint8Array, email: string, data: Record<string, unknown>, now: Date): Promise<boolean> => {
    await db.deleteFrom('challenges').where('email', '=', email).where('token_hash', '<>', tokenHash).execute();
    const { numUpdatedRows } = await db
      .updateTable('challenges')
      .set({ email, data })
      .where('token_hash', '=', tokenHash)
      .where('expires_at', '>', now)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Deletes at most `limit` expired challenges, except those that another transaction has locked. Resolves to their number. */
  deleteExpired: (before: Date, limit: number) =>
    deleteOld(db, { table: 'challenges', key: ['token_hash'], column: 'expires_at' }, before, limit),
});
