import type { Kysely, Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';

const preferenceColumns = ['theme', 'locale', 'timezone', 'email_notifications', 'settings', 'updated_at'] as const;

export type PreferenceChanges = Omit<Updateable<Tables['user_preferences']>, 'user_id' | 'created_at' | 'updated_at'>;

export type Theme = 'system' | 'light' | 'dark';

/** What holds for a user who has not chosen: the defaults of the columns, and the answer before the first write. */
export const defaultPreferences = {
  theme: 'system' as Theme,
  locale: 'en',
  timezone: 'UTC',
  email_notifications: true,
  settings: {} as Record<string, unknown>,
};

/** Preferences: one row per user, from the first write on. */
export const userPreferences = (db: Kysely<Tables>) => ({
  find: (userId: string) =>
    db.selectFrom('user_preferences').select(preferenceColumns).where('user_id', '=', userId).executeTakeFirst(),

  /**
   * Changes what is given; where there is no row yet, the rest of it is the columns' defaults. `changes` is not empty.
   * Violates `fk_user_preferences_user_id` where there is no such user.
   */
  change: (userId: string, changes: PreferenceChanges) =>
    db
      .insertInto('user_preferences')
      .values({ user_id: userId, ...changes })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(changes))
      .returning(preferenceColumns)
      .executeTakeFirstOrThrow(),
});
