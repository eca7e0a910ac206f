import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

export const PasskeySchema = defineEntity({
  name: 'Passkey',
  tableName: 'passkeys',
  comment: 'Passkeys: public keys of WebAuthn credentials.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_passkeys_user_id')
        .comment('The owner.'),
    id: id(),
    name: p.string().length(100).comment('Name that the owner chose.'),
    credential_id: p.blob().comment('Id that the authenticator chose.'),
    public_key: p.blob().comment('Public key in COSE format.'),
    counter: p.bigint().comment('Latest signature counter; 0 if the authenticator has none.'),
    transports: p
      .array()
      .columnType('text[]')
      .comment('How browsers reach the authenticator: internal, hybrid, usb, …'),
    is_device_bound: p.boolean().comment('Whether the key cannot leave its authenticator.'),
    is_backed_up: p.boolean().comment('Whether the key was backed up when last used.'),
    last_used_at: timestamp().nullable().comment('When it last signed in.'),
    created_at: createdAt(),
  },
  uniques: [{ name: 'idx_passkeys_user_id_credential_id', properties: ['user', 'credential_id'] }],
  ...ownedBy('passkeys', 'user_id'),
});
