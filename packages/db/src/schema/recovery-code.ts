import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, notExported, ownedBy } from './columns.ts';
import { UserSchema } from './user.ts';

export const RecoveryCodeSchema = defineEntity({
  name: 'RecoveryCode',
  tableName: 'recovery_codes',
  comment: 'Recovery codes, deleted when used. Only hashes are stored.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_recovery_codes_user_id')
        .comment('The owner.'),
    code_hash: p.blob().primary().comment(`SHA-256 of the code, which has 120 random bits. ${notExported}`),
    created_at: createdAt(),
  },
  ...ownedBy('recovery_codes', 'user_id'),
});
