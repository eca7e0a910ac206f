import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';
import type { ChallengePurpose } from './values.ts';

export const ChallengeSchema = defineEntity({
  name: 'Challenge',
  tableName: 'challenges',
  comment:
    'Steps of signing in that wait for the next one: one row per challenge, deleted when it is used. Only hashes are stored.',
  properties: {
    token_hash: p.blob().primary().comment(`SHA-256 of the challenge, which has 256 random bits. ${notExported}`),
    purpose: p
      .string()
      .$type<ChallengePurpose>()
      .length(30)
      .comment('mfa, email_code, passkey_registration, passkey_sign_in, provider_state or provider_exchange.'),
    user: () =>
      p
        .manyToOne(UserSchema)
        .nullable()
        .deleteRule('cascade')
        .foreignKeyName('fk_challenges_user_id')
        .index('idx_challenges_user_id')
        .comment('The account that it is for; null before the user is identified.'),
    email: p
      .string()
      .length(255)
      .nullable()
      .comment('Address that asked for a code by mail. It has at most one challenge.'),
    data: p.json<Record<string, unknown>>().default('{}').comment(`What it was made for, by purpose. ${notExported}`),
    attempts: p.integer().default(0).comment('Number of tries to answer it.'),
    created_at: createdAt(),
    expires_at: timestamp().comment('When it expires.'),
  },
  uniques: [{ name: 'idx_challenges_email', properties: ['email'] }],
  indexes: [{ name: 'idx_challenges_expires_at', properties: ['expires_at'] }],
  ...ownedBy('challenges', 'user_id'),
});
