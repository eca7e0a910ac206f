import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

export const KnownClientSchema = defineEntity({
  name: 'KnownClient',
  tableName: 'known_clients',
  comment: 'Networks and browsers that a user signed in from. A sign-in from a new one sends a notice.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_known_clients_user_id')
        .comment('The owner.'),
    fingerprint: p.blob().primary().comment(`HMAC of the network and the family of the browser. ${notExported}`),
    created_at: createdAt(),
    last_used_at: timestamp().defaultRaw('now()').comment('Time of the last sign-in.'),
  },
  indexes: [{ name: 'idx_known_clients_last_used_at', properties: ['last_used_at'] }],
  ...ownedBy('known_clients', 'user_id'),
});
