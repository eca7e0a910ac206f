import type { Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { OwnerContext } from './context.ts';

const columns = ['theme', 'locale', 'timezone', 'email_notifications', 'settings', 'updated_at'] as const;

export type PreferenceChanges = Omit<Updateable<Tables['user_preferences']>, 'user_id' | 'created_at' | 'updated_at'>;

/** Preferences of the owner: one row, inserted by the first write. */
export const userPreferences = ({ db, fast, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    find: () => fast.selectFrom('user_preferences').select(columns).where('user_id', '=', userId).executeTakeFirst(),

    /**
     * Changes the given columns. A new row has defaults in the others. `changes` must not be empty. Violates `fk_user_preferences_user_id` if the user no
     * longer exists.
     */
    change: (changes: PreferenceChanges) =>
      db
        .insertInto('user_preferences')
        .values({ user_id: userId, ...changes })
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(changes))
        .returning(columns)
        .executeTakeFirstOrThrow(),
  };
};
