import { defineEntity, p } from '@mikro-orm/core';
import type { TokenPurpose } from '../repositories/one-time-tokens.ts';
import { createdAt, id, ownerPolicy, systemPolicy } from './columns.ts';
import { UserSchema } from './user.ts';

export const OneTimeTokenSchema = defineEntity({
  name: 'OneTimeToken',
  tableName: 'one_time_tokens',
  comment: 'What links in mails carry: one for each user and purpose, gone when it is used. Holds hashes alone.',
  properties: {
    id: id(),
    user: () =>
      p
        .manyToOne(UserSchema)
        .deleteRule('cascade')
        .foreignKeyName('fk_one_time_tokens_user_id')
        .comment('Whose account it is for.'),
    purpose: p.string().$type<TokenPurpose>().length(30).comment('reset_password or verify_email.'),
    token_hash: p.blob().comment('SHA-256 of the token, which has 256 random bits.'),
    email: p.string().length(255).comment('Where it was sent: good only while the account has this email.'),
    created_at: createdAt(),
    expires_at: p.datetime().columnType('timestamptz').comment('When it is good no more.'),
  },
  uniques: [
    { name: 'idx_one_time_tokens_user_id_purpose', properties: ['user', 'purpose'] },
    { name: 'idx_one_time_tokens_token_hash', properties: ['token_hash'] },
  ],
  indexes: [{ name: 'idx_one_time_tokens_email', properties: ['email'] }],
  checks: [{ name: 'chk_one_time_tokens_purpose', expression: `purpose in ('reset_password', 'verify_email')` }],
  policies: [ownerPolicy('one_time_tokens', 'user_id'), systemPolicy('one_time_tokens')],
});
