import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

export const TotpSchema = defineEntity({
  name: 'Totp',
  tableName: 'totps',
  comment: 'Authenticator apps: one per user (RFC 6238).',
  properties: {
    user: () =>
      p
        .oneToOne(UserSchema)
        .owner()
        .primary()
        .deleteRule('cascade')
        .updateRule('no action')
        .foreignKeyName('fk_totps_user_id')
        .comment('The owner.'),
    secret: p
      .blob()
      .nullable()
      .comment(
        `Secret in force, encrypted with a key derived from SECRET_KEY; null before the first confirmation. ${notExported}`,
      ),
    pending_secret: p
      .blob()
      .nullable()
      .comment(`Secret that waits for its confirmation, encrypted in the same way. ${notExported}`),
    pending_session_id: p.uuid().nullable().comment('The session that may confirm it.'),
    pending_until: timestamp().nullable().comment('Until when it can be confirmed.'),
    last_step: p.bigint().default(0).comment('Latest time step whose code was used. No code works twice.'),
    created_at: createdAt(),
  },
  ...ownedBy('totps', 'user_id'),
});
