import type { Insertable, Selectable } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';

type NewIdentity = Omit<Insertable<Tables['identities']>, 'id' | 'created_at'>;
/** An identity as its owner sees it. */
export type Identity = Pick<
  Selectable<Tables['identities']>,
  'id' | 'provider' | 'issuer' | 'subject' | 'email' | 'created_at' | 'last_used_at'
>;

const columns = ['id', 'provider', 'issuer', 'subject', 'email', 'created_at', 'last_used_at'] as const;

/** Accounts at sign-in providers. They are found by issuer and subject, never by address. */
export const identities = ({ db }: Context) => ({
  /** Resolves to undefined if an account has this identity already. */
  create: (identity: NewIdentity) =>
    db
      .insertInto('identities')
      .values({ id: newId(), ...identity })
      .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doNothing())
      .returning(columns)
      .executeTakeFirst(),

  /** Resolves to the id of the user with this identity. */
  findUserId: async (issuer: string, subject: string): Promise<string | undefined> => {
    const identity = await db
      .selectFrom('identities')
      .select('user_id')
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .executeTakeFirst();
    return identity?.user_id;
  },

  list: (userId: string) =>
    db.selectFrom('identities').select(columns).where('user_id', '=', userId).orderBy('id').execute(),

  count: async (userId: string): Promise<number> => {
    const { count } = await db
      .selectFrom('identities')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .where('user_id', '=', userId)
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  /** Records a sign-in. Resolves to whether the user still has the identity. */
  recordUse: async (
    userId: string,
    { issuer, subject, email }: { issuer: string; subject: string; email: string | null },
    now: Date,
  ): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('identities')
      .set({ email, last_used_at: now })
      .where('user_id', '=', userId)
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Resolves to the deleted identity. Resolves to undefined if the user has no such identity. */
  delete: (userId: string, id: string) =>
    db
      .deleteFrom('identities')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .returning(columns)
      .executeTakeFirst(),

  /** Resolves to the deleted identities. */
  deleteAllOf: (userId: string) =>
    db.deleteFrom('identities').where('user_id', '=', userId).returning(columns).execute(),
});
