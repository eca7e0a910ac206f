import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';
import type { TokenPurpose } from './values.ts';

export const OneTimeTokenSchema = defineEntity({
  name: 'OneTimeToken',
  tableName: 'one_time_tokens',
  comment: 'Tokens of links in mails: one per user and purpose, deleted when used. Only hashes are stored.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_one_time_tokens_user_id')
        .comment('The account that the token is for.'),
    id: id(),
    purpose: p.string().$type<TokenPurpose>().length(30).comment('reset_password or verify_email.'),
    token_hash: p.blob().comment(`SHA-256 of the token, which has the user’s id and 256 random bits. ${notExported}`),
    email: p
      .string()
      .length(255)
      .comment('Address that the token was sent to. The token is void if the account has another one.'),
    created_at: createdAt(),
    expires_at: timestamp().comment('When the token expires.'),
  },
  uniques: [{ name: 'idx_one_time_tokens_user_id_purpose', properties: ['user', 'purpose'] }],
  indexes: [{ name: 'idx_one_time_tokens_email', properties: ['email'] }],
  checks: [{ name: 'chk_one_time_tokens_purpose', expression: `purpose in ('reset_password', 'verify_email')` }],
  ...ownedBy('one_time_tokens', 'user_id'),
});
