import type { Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { OwnerContext } from './context.ts';
import { hasVersion, type Versions, versionOf } from './version.ts';

const columns = ['theme', 'locale', 'timezone', 'email_notifications', 'settings', 'updated_at'] as const;
const version = versionOf('user_preferences');
/** Before the first write there is no row. */
export const versionOfDefaults = '0';

export type PreferenceChanges = Omit<Updateable<Tables['user_preferences']>, 'user_id' | 'created_at' | 'updated_at'>;

/** Preferences of the owner: one row, inserted by the first write. */
export const userPreferences = ({ db, fast, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    find: () =>
      fast
        .selectFrom('user_preferences')
        .select(columns)
        .select(version)
        .where('user_id', '=', userId)
        .executeTakeFirst(),

    /**
     * Changes the given columns. A new row has defaults in the others. `changes` must not be empty. Violates `fk_user_preferences_user_id` if the user no
     * longer exists.
     *
     * @param versions changes the row only if it has one of them, or creates it if `versionOfDefaults` is one of them
     */
    change: (changes: PreferenceChanges, versions?: Versions) => {
      const isMatch = hasVersion('user_preferences', versions);
      if (versions && !versions.includes(versionOfDefaults))
        return db
          .updateTable('user_preferences')
          .set(changes)
          .where('user_id', '=', userId)
          .where(isMatch)
          .returning(columns)
          .returning(version)
          .executeTakeFirst();
      return db
        .insertInto('user_preferences')
        .values({ user_id: userId, ...changes })
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(changes).where(isMatch))
        .returning(columns)
        .returning(version)
        .executeTakeFirst();
    },
  };
};
