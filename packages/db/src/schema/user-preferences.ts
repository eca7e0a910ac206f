import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, ownedBy, updatedAt, updatedAtTrigger } from './columns.ts';
import { UserSchema } from './user.ts';
import { defaultPreferences, type Theme } from './values.ts';

export const UserPreferencesSchema = defineEntity({
  name: 'UserPreferences',
  tableName: 'user_preferences',
  comment: 'Preferences of a user. The row is inserted by the first write.',
  properties: {
    user: () =>
      p
        .oneToOne(UserSchema)
        .owner()
        .primary()
        .deleteRule('cascade')
        .updateRule('no action')
        .foreignKeyName('fk_user_preferences_user_id')
        .comment('The user.'),
    theme: p.string().$type<Theme>().length(10).default(defaultPreferences.theme).comment('system, light or dark.'),
    locale: p.string().length(85).default(defaultPreferences.locale).comment('BCP 47 language tag.'),
    timezone: p.string().length(64).default(defaultPreferences.timezone).comment('IANA time zone name.'),
    email_notifications: p
      .boolean()
      .default(defaultPreferences.email_notifications)
      .comment('Whether the product may send mail that the user did not request.'),
    settings: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment('Settings of the product: a JSON object.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  checks: [{ name: 'chk_user_preferences_theme', expression: `theme in ('system', 'light', 'dark')` }],
  triggers: [updatedAtTrigger],
  ...ownedBy('user_preferences', 'user_id'),
});
