import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, momentOrNull, ownerPolicy, systemPolicy } from './columns.ts';
import { UserSchema } from './user.ts';

export const UserSessionSchema = defineEntity({
  name: 'UserSession',
  tableName: 'user_sessions',
  comment: 'One row per sign-in. Holds nothing from which a token could be made without the secret of the server.',
  properties: {
    id: id(),
    user: () =>
      p
        .manyToOne(UserSchema)
        .deleteRule('cascade')
        .foreignKeyName('fk_user_sessions_user_id')
        .index('idx_user_sessions_user_id')
        .comment('Whose session it is.'),
    token_secret: p
      .blob()
      .comment('32 random bytes: one half of the key of the refresh tokens; the server has the other.'),
    generation: p.integer().default(0).comment('Counts refreshes; only the token of the current generation rotates.'),
    rotated_at: momentOrNull().comment('When the generation last moved; the grace window counts from here.'),
    rotated_user_agent: p
      .string()
      .length(255)
      .nullable()
      .comment('The client that moved the generation; the token before it works for this client only.'),
    used_generation: p
      .integer()
      .default(0)
      .comment('The latest generation of which a token was used: its response has arrived.'),
    user_agent: p
      .string()
      .length(255)
      .nullable()
      .comment('What the client called itself when it signed in, cut to 255.'),
    ip_address: p.string().columnType('inet').nullable().comment('Where the sign-in came from.'),
    created_at: createdAt(),
    last_used_at: p
      .datetime()
      .columnType('timestamptz')
      .defaultRaw('now()')
      .comment('Last request, to within a minute; the inactivity time-out counts from here.'),
    expires_at: p.datetime().columnType('timestamptz').comment('The end of the absolute lifetime, whatever the use.'),
    revoked_at: momentOrNull().comment('When the session was ended; null while it lives.'),
    revoked_reason: p.string().length(50).nullable().comment('Why it was ended: logout, theft, password_changed, …'),
  },
  // What the clean-up goes by.
  indexes: [{ name: 'idx_user_sessions_expires_at', properties: ['expires_at'] }],
  policies: [ownerPolicy('user_sessions', 'user_id'), systemPolicy('user_sessions')],
});
