import { defineEntity, p } from '@mikro-orm/core';
import { defaultPreferences, type Theme } from '../repositories/user-preferences.ts';
import { createdAt, ownerPolicy, systemPolicy, updatedAt, updatedAtTrigger } from './columns.ts';
import { UserSchema } from './user.ts';

export const UserPreferencesSchema = defineEntity({
  name: 'UserPreferences',
  tableName: 'user_preferences',
  comment: 'How a user wants the product to look and behave; no row until the first write.',
  properties: {
    user: () =>
      p
        .oneToOne(UserSchema)
        .owner()
        .primary()
        .deleteRule('cascade')
        .updateRule('no action')
        .foreignKeyName('fk_user_preferences_user_id')
        .comment('Whose preferences they are.'),
    theme: p.string().$type<Theme>().length(10).default(defaultPreferences.theme).comment('system, light or dark.'),
    locale: p.string().length(85).default(defaultPreferences.locale).comment('A BCP 47 language tag.'),
    timezone: p.string().length(64).default(defaultPreferences.timezone).comment('An IANA time zone name.'),
    email_notifications: p
      .boolean()
      .default(defaultPreferences.email_notifications)
      .comment('Whether the product may send mail that nobody asked for.'),
    settings: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment("The product's own settings: any JSON object."),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  checks: [{ name: 'chk_user_preferences_theme', expression: `theme in ('system', 'light', 'dark')` }],
  triggers: [updatedAtTrigger],
  policies: [ownerPolicy('user_preferences', 'user_id'), systemPolicy('user_preferences')],
});
