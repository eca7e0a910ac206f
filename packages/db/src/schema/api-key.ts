import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp } from './columns.ts';
import { MembershipSchema } from './membership.ts';
import { UserSchema } from './user.ts';

export const ApiKeySchema = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  comment: 'API keys: programs act for their owner with them, within their scopes. Only hashes are stored.',
  properties: {
    // Its comment is that of both columns.
    membership: () =>
      p
        .manyToOne(MembershipSchema)
        .joinColumns('organization_id', 'user_id')
        .nullable()
        .updateRule('no action')
        .deleteRule('cascade')
        .foreignKeyName('fk_api_keys_membership')
        .comment('The owner, and the organization whose rows the key is for, if any.'),
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_api_keys_user_id')
        .comment('The owner.'),
    id: id(),
    name: p.string().length(100).comment('Name that its creator chose.'),
    secret_hash: p.blob().comment(`SHA-256 of the secret, which has 256 random bits. ${notExported}`),
    scopes: p.array().columnType('text[]').comment('What it may do, such as tasks:read.'),
    last_used_at: timestamp().nullable().comment('When it was last used, to the minute.'),
    warned_at: timestamp().nullable().comment('When its owner was warned that it expires.'),
    created_at: createdAt(),
    expires_at: timestamp().comment('When it expires.'),
  },
  indexes: [
    { name: 'idx_api_keys_expires_at', properties: ['expires_at'] },
    {
      name: 'idx_api_keys_organization_id',
      expression:
        'create index "idx_api_keys_organization_id" on "api_keys" ("organization_id", "user_id") where organization_id is not null',
    },
  ],
  ...ownedBy('api_keys', 'user_id'),
});
