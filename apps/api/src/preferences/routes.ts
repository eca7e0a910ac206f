import { preferencesBodyBytesMax } from '../http/body.ts';
import type { App } from '../http/schema.ts';
import { NewPreferences, PreferenceChanges, Preferences as PreferencesSchema } from './schemas.ts';
import type { Preferences } from './service.ts';

const url = '/users/me/preferences';

export function preferenceRoutes(app: App, { preferences }: { preferences: Preferences }) {
  app.get(
    url,
    {
      schema: {
        operationId: 'getPreferences',
        tags: ['preferences'],
        summary: 'Get your preferences',
        description: 'Returns the defaults before the first change.',
        response: { 200: PreferencesSchema },
      },
      config: { requiredScope: 'preferences:read', isVersioned: true },
    },
    async ({ scope }) => preferences.get(scope),
  );

  app.put(
    url,
    {
      bodyLimit: preferencesBodyBytesMax,
      schema: {
        operationId: 'replacePreferences',
        tags: ['preferences'],
        summary: 'Replace your preferences',
        description: 'Fields that are not sent become their defaults.',
        body: NewPreferences,
        response: { 200: PreferencesSchema },
      },
      config: { requiredScope: 'preferences:write', isVersioned: true, problems: ['not_found'] },
    },
    async ({ scope, body, versions }) => preferences.replace(scope, body, versions),
  );

  app.patch(
    url,
    {
      bodyLimit: preferencesBodyBytesMax,
      schema: {
        operationId: 'updatePreferences',
        tags: ['preferences'],
        summary: 'Update your preferences',
        description: 'Changes the fields that are sent. `settings` changes as a whole.',
        body: PreferenceChanges,
        response: { 200: PreferencesSchema },
      },
      config: { requiredScope: 'preferences:write', isVersioned: true, problems: ['not_found'] },
    },
    async ({ scope, body, versions }) => preferences.change(scope, body, versions),
  );
}
