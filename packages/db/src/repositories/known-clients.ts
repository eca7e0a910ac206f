import { sql } from 'kysely';
import type { Context } from './context.ts';
import { deleteOld } from './delete-old.ts';

/** Networks and browsers that users signed in from. */
export const knownClients = ({ db }: Context) => ({
  /** Records a sign-in. Resolves to whether the client is new for a user who has signed in from others before. */
  record: async (user_id: string, fingerprint: Uint8Array, now: Date): Promise<boolean> => {
    const { is_new, has_others } = await db
      .insertInto('known_clients')
      .values({ user_id, fingerprint, created_at: now, last_used_at: now })
      .onConflict((conflict) => conflict.columns(['user_id', 'fingerprint']).doUpdateSet({ last_used_at: now }))
      .returning([
        // A row that was inserted has no deleting transaction.
        sql<boolean>`xmax = 0`.as('is_new'),
        // As of the start of the statement.
        sql<boolean>`exists (select from known_clients other where other.user_id = known_clients.user_id)`.as(
          'has_others',
        ),
      ])
      .executeTakeFirstOrThrow();
    return is_new && has_others;
  },

  /** Forgets at most `limit` clients that nobody has used since then. Resolves to their number. */
  deleteUnused: (before: Date, limit: number) =>
    deleteOld(db, { table: 'known_clients', key: ['user_id', 'fingerprint'], column: 'last_used_at' }, before, limit),
});
