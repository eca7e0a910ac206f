import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';
import type { AuthenticationMethod, RevokedReason } from './values.ts';

export const UserSessionSchema = defineEntity({
  name: 'UserSession',
  tableName: 'user_sessions',
  comment: 'Sessions: one per sign-in. A refresh token cannot be derived from a row without SECRET_KEY.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_user_sessions_user_id')
        .comment('The signed-in user.'),
    id: id(),
    methods: p
      .array()
      .columnType('text[]')
      .$type<AuthenticationMethod[]>()
      .defaultRaw(`'{pwd}'`)
      .comment('How the user proved who they are (RFC 8176): pwd, otp, email, ext, hwk, swk, recovery, mfa.'),
    authenticated_at: timestamp()
      .nullable()
      .comment('When the user last proved again who they are; null if only at sign-in.'),
    token_secret: p
      .blob()
      .comment(`32 random bytes from which, together with SECRET_KEY, refresh tokens are derived. ${notExported}`),
    generation: p.integer().default(0).comment('Number of refreshes. Only the token of this generation rotates.'),
    rotated_at: timestamp().nullable().comment('When the generation last increased. The grace period starts here.'),
    rotated_user_agent: p
      .string()
      .length(255)
      .nullable()
      .comment('User-Agent of the client that refreshed last. Only this client can use the previous token.'),
    used_generation: p
      .integer()
      .default(0)
      .comment('Latest generation whose access token was used, so its response reached the client.'),
    user_agent: p.string().length(255).nullable().comment('User-Agent at sign-in, cut to 255 characters.'),
    ip_address: p.string().columnType('inet').nullable().comment('Client address at sign-in.'),
    created_at: createdAt(),
    last_used_at: timestamp()
      .defaultRaw('now()')
      .comment('Time of the last request, to the minute. The inactivity timeout starts here.'),
    expires_at: timestamp().comment('End of the absolute lifetime.'),
    revoked_at: timestamp().nullable().comment('When the session was revoked; null while it is not.'),
    revoked_reason: p
      .string()
      .$type<RevokedReason>()
      .length(50)
      .nullable()
      .comment('Why the session was revoked: logout, theft, password_changed, …'),
  },
  // For the job that deletes ended sessions.
  indexes: [
    { name: 'idx_user_sessions_expires_at', properties: ['expires_at'] },
    {
      name: 'idx_user_sessions_revoked_at',
      expression:
        'create index "idx_user_sessions_revoked_at" on "user_sessions" ("revoked_at") where revoked_at is not null',
    },
  ],
  ...ownedBy('user_sessions', 'user_id'),
});
