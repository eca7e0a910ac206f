import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, momentOrNull, ownerPolicy, systemPolicy, updatedAt, updatedAtTrigger } from './columns.ts';

export const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  comment: 'Accounts: who may sign in, and with what.',
  properties: {
    id: id(),
    email: p.string().length(255).comment('Stored trimmed and in lower case; unique without regard to case.'),
    username: p.string().length(50).nullable().comment('A second name to sign in with; unique without regard to case.'),
    password_hash: p
      .string()
      .length(255)
      .nullable()
      .comment('Argon2id in PHC format, parameters included; null without a password. Never leaves the server.'),
    full_name: p.string().length(255).nullable().comment('What the person is called; shown as it was entered.'),
    is_active: p.boolean().default(true).comment('False: may not sign in, and every session is over.'),
    is_admin: p.boolean().default(false).comment('May manage all accounts.'),
    email_verified_at: momentOrNull().comment(
      'When the owner proved to read this mailbox; null after a change of email.',
    ),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  uniques: [
    { name: 'idx_users_email', expression: 'create unique index "idx_users_email" on "users" (lower(email))' },
    { name: 'idx_users_username', expression: 'create unique index "idx_users_username" on "users" (lower(username))' },
  ],
  triggers: [updatedAtTrigger],
  policies: [ownerPolicy('users', 'id'), systemPolicy('users')],
});
