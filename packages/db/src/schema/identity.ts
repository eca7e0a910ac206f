import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

export const IdentitySchema = defineEntity({
  name: 'Identity',
  tableName: 'identities',
  comment: 'Accounts at sign-in providers (OpenID Connect, GitHub) with which users sign in.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_identities_user_id')
        .comment('The owner.'),
    id: id(),
    provider: p.string().length(50).comment('Id of the provider in the configuration.'),
    issuer: p.string().length(500).comment('URL of the provider: `iss` of its ID tokens.'),
    subject: p.string().length(255).comment('Id of the account at the provider: `sub` of its ID tokens.'),
    email: p
      .string()
      .length(255)
      .nullable()
      .comment('Address that the provider had for the account when it was last used.'),
    last_used_at: timestamp().nullable().comment('When it last signed in.'),
    created_at: createdAt(),
  },
  uniques: [{ name: 'idx_identities_issuer_subject', properties: ['issuer', 'subject'] }],
  ...ownedBy('identities', 'user_id'),
});
