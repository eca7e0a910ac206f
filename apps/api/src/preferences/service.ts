import { type Database, defaultPreferences, type Scope } from '@quoin/db';
import type { PreferenceChanges } from './schemas.ts';

/** How a user wants the product to look and behave. */
export function createPreferences({ database }: { database: Database }) {
  const get = async (scope: Scope) =>
    (await database.as(scope, ({ userPreferences }) => userPreferences.find(scope.userId), { single: 'read' })) ?? {
      ...defaultPreferences,
      updated_at: null,
    };

  const change = (scope: Scope, changes: PreferenceChanges) =>
    Object.keys(changes).length === 0
      ? get(scope)
      : database.as(scope, ({ userPreferences }) => userPreferences.change(scope.userId, changes));

  return {
    get,
    /** Only what is sent changes; `settings` is one value, and changes as a whole. */
    change,
    /** What is not sent becomes its default. */
    replace: (scope: Scope, preferences: PreferenceChanges) => change(scope, { ...defaultPreferences, ...preferences }),
  };
}

export type Preferences = ReturnType<typeof createPreferences>;
