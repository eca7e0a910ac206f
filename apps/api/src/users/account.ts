import { Type } from '@fastify/type-provider-typebox';
import { userKinds } from '@quoin/db';
import { closed, Id, nullable, oneOf, Timestamp } from '../http/schema.ts';

// Schemas of accounts, shared by registration and administration.

/** The fields that users set for themselves. */
export const AccountProperties = {
  email: Type.String({
    format: 'email',
    maxLength: 255,
    description: 'Email address. Trimmed, stored in lower case, and unique regardless of case.',
    examples: ['ada@example.com'],
  }),
  username: nullable(
    Type.String({
      minLength: 3,
      maxLength: 50,
      pattern: '^[A-Za-z0-9_.-]+$',
      description: 'Alternative sign-in name, unique regardless of case.',
      examples: ['ada'],
    }),
  ),
  full_name: nullable(
    Type.String({ minLength: 1, maxLength: 255, description: 'Display name.', examples: ['Ada Lovelace'] }),
  ),
};

export const PasswordProperty = Type.String({
  minLength: 8,
  maxLength: 256,
  description:
    'At least PASSWORD_MIN_LENGTH (8) characters of any kind. Not one of the 10,000 most common passwords, and not similar to the email or username.',
  examples: ['correct horse battery'],
});

export const UserKind = oneOf(userKinds, {
  description: '`person`, or `service`: an account for programs, which has API keys and cannot sign in.',
  examples: ['person'],
});

export const AdminProperties = {
  is_active: Type.Boolean({ description: 'If false, the user cannot sign in and has no sessions.', examples: [true] }),
  is_admin: Type.Boolean({ description: 'Whether the user can manage all accounts.', examples: [false] }),
};

export const User = closed(
  {
    id: Id('Id of the account.'),
    kind: UserKind,
    ...AccountProperties,
    ...AdminProperties,
    email_verified_at: nullable(Timestamp('When the email address was verified; null if it is not.')),
    created_at: Timestamp('When the account was created.'),
    updated_at: Timestamp('When the account was last changed.'),
  },
  { title: 'User' },
);
