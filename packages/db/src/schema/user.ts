import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp, updatedAt, updatedAtTrigger } from './columns.ts';
import type { UserKind } from './values.ts';

export const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  comment: 'Accounts.',
  properties: {
    id: id(),
    kind: p
      .string()
      .$type<UserKind>()
      .length(20)
      .default('person')
      .comment('person, or service: an account for programs, which cannot sign in.'),
    email: p.string().length(255).comment('Stored trimmed and in lower case; unique regardless of case.'),
    username: p.string().length(50).nullable().comment('An alternative sign-in name; unique regardless of case.'),
    password_hash: p
      .string()
      .length(255)
      .nullable()
      .comment(
        `Argon2id in PHC format, including its parameters. Null: the account has no password. Never sent to a client. ${notExported}`,
      ),
    full_name: p.string().length(255).nullable().comment('Display name, stored as entered.'),
    is_active: p.boolean().default(true).comment('If false, the user cannot sign in and has no sessions.'),
    is_admin: p.boolean().default(false).comment('If true, the user can manage all accounts.'),
    email_verified_at: timestamp()
      .nullable()
      .comment('When the user proved to receive mail at this address. Reset when the address changes.'),
    webauthn_handle: p
      .blob()
      .nullable()
      .comment('64 random bytes by which authenticators name the account; null before the first passkey.'),
    deletion_due_at: timestamp()
      .nullable()
      .comment('When the account will be deleted, unless its user signs in before; null if no deletion was requested.'),
    deleted_at: timestamp()
      .nullable()
      .comment('When the account was deleted. A job deletes its rows, and then this one.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  uniques: [
    { name: 'idx_users_email', expression: 'create unique index "idx_users_email" on "users" (lower(email))' },
    { name: 'idx_users_admins', expression: 'create index "idx_users_admins" on "users" ("id") where is_admin' },
    {
      name: 'idx_users_inactive',
      expression: 'create index "idx_users_inactive" on "users" ("id") where not is_active',
    },
    {
      name: 'idx_users_deleted_at',
      expression: 'create index "idx_users_deleted_at" on "users" ("deleted_at") where deleted_at is not null',
    },
    {
      name: 'idx_users_deletion_due_at',
      expression:
        'create index "idx_users_deletion_due_at" on "users" ("deletion_due_at") where deletion_due_at is not null',
    },
    {
      // Admins search for a part of an email.
      name: 'idx_users_email_trigrams',
      expression: 'create index "idx_users_email_trigrams" on "users" using gin ("email" gin_trgm_ops)',
    },
    {
      name: 'idx_users_webauthn_handle',
      expression: 'create unique index "idx_users_webauthn_handle" on "users" ("webauthn_handle")',
    },
    { name: 'idx_users_username', expression: 'create unique index "idx_users_username" on "users" (lower(username))' },
  ],
  triggers: [updatedAtTrigger],
  ...ownedBy('users', 'id'),
});
