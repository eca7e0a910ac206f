import { type Database, defaultPreferences, type Scope, type Versions, versionOfDefaults } from '@quoin/db';
import { requireRow, requireVersion } from '../http/preconditions.ts';
import type { PreferenceChanges } from './schemas.ts';

/** Preferences of the signed-in user. */
export function createPreferences({ database }: { database: Database }) {
  const get = async (scope: Scope) =>
    (await database.as(scope).userPreferences.find()) ?? {
      ...defaultPreferences,
      updated_at: null,
      version: versionOfDefaults,
    };

  const change = async (scope: Scope, changes: PreferenceChanges, versions: Versions) => {
    if (Object.keys(changes).length === 0) {
      const current = await get(scope);
      requireVersion(current, versions);
      return current;
    }
    return database.as(scope).effect(async ({ userPreferences }) => {
      const changed = await userPreferences.change(changes, versions);
      return requireRow(versions, changed, async () => true);
    });
  };

  return {
    get,
    /** Changes the given fields. `settings` changes as a whole. */
    change,
    /** Resets the fields that are not given to their defaults. */
    replace: (scope: Scope, preferences: PreferenceChanges, versions: Versions) =>
      change(scope, { ...defaultPreferences, ...preferences }, versions),
  };
}

export type Preferences = ReturnType<typeof createPreferences>;
