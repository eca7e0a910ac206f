import { type Database, defaultPreferences, type Scope } from '@quoin/db';
import type { PreferenceChanges } from './schemas.ts';

/** Preferences of the signed-in user. */
export function createPreferences({ database }: { database: Database }) {
  const get = async (scope: Scope) =>
    (await database.as(scope).userPreferences.find()) ?? { ...defaultPreferences, updated_at: null };

  const change = async (scope: Scope, changes: PreferenceChanges) =>
    Object.keys(changes).length === 0 ? get(scope) : database.as(scope).userPreferences.change(changes);

  return {
    get,
    /** Changes the given fields. `settings` changes as a whole. */
    change,
    /** Resets the fields that are not given to their defaults. */
    replace: (scope: Scope, preferences: PreferenceChanges) => change(scope, { ...defaultPreferences, ...preferences }),
  };
}

export type Preferences = ReturnType<typeof createPreferences>;
