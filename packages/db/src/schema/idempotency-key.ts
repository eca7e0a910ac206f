import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, notExported, ownedBy } from './columns.ts';
import { UserSchema } from './user.ts';

export const IdempotencyKeySchema = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  comment:
    'Answers to requests with an Idempotency-Key, inserted in the transaction of their effect and kept for a day.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_idempotency_keys_user_id')
        .comment('The caller.'),
    key_hash: p.blob().primary().comment(`SHA-256 of the key. ${notExported}`),
    fingerprint: p
      .blob()
      .comment(`HMAC of the method, path and body. Keyed, because a body can contain a password. ${notExported}`),
    status: p.smallint().comment('Status of the answer.'),
    headers: p.json<Record<string, string>>().comment('Headers of the answer that belong to its content.'),
    body: p.text().nullable().comment(`Body of the answer; null if it has none. ${notExported}`),
    created_at: createdAt(),
  },
  indexes: [{ name: 'idx_idempotency_keys_created_at', properties: ['created_at'] }],
  ...ownedBy('idempotency_keys', 'user_id'),
});
