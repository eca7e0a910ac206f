import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

export const WebhookEndpointSchema = defineEntity({
  name: 'WebhookEndpoint',
  tableName: 'webhook_endpoints',
  comment: 'Where events of a user are sent.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_webhook_endpoints_user_id')
        .comment('The owner.'),
    id: id(),
    url: p.string().length(2000).comment('The URL that events are posted to.'),
    event_types: p.array().columnType('text[]').comment('The types of events that are sent; empty: all.'),
    secret: p.blob().comment(`Secret that signs, encrypted with a key derived from SECRET_KEY. ${notExported}`),
    previous_secret: p.blob().nullable().comment(`The secret before it, which also signs for a day. ${notExported}`),
    previous_secret_until: timestamp().nullable().comment('Until when the previous secret also signs.'),
    delivered_at: timestamp().nullable().comment('When an event was last accepted, to the minute.'),
    disabled_at: timestamp()
      .nullable()
      .comment('When it was disabled, because events could not be delivered; null: enabled.'),
    created_at: createdAt(),
  },
  ...ownedBy('webhook_endpoints', 'user_id'),
});
