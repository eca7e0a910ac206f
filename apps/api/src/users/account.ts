import { Type } from '@fastify/type-provider-typebox';
import { closed, Id, nullable, Timestamp } from '../http/schema.ts';

// An account as the API shows it and takes it: what signing up and administration have in common.

/** What a person says of their account. */
export const AccountProperties = {
  email: Type.String({
    format: 'email',
    maxLength: 255,
    description: 'Trimmed, compared without case, and stored in lower case.',
    examples: ['ada@example.com'],
  }),
  username: nullable(
    Type.String({
      minLength: 3,
      maxLength: 50,
      pattern: '^[A-Za-z0-9_.-]+$',
      description: 'A second name to sign in with; compared without case.',
      examples: ['ada'],
    }),
  ),
  full_name: nullable(
    Type.String({ minLength: 1, maxLength: 255, description: 'Kept as it is.', examples: ['Ada Lovelace'] }),
  ),
};

export const PasswordProperty = Type.String({
  minLength: 8,
  maxLength: 256,
  description:
    'Any characters, at least PASSWORD_MIN_LENGTH (8) of them. Not among the 10,000 most common passwords, and nothing like the email or the username.',
  examples: ['correct horse battery'],
});

export const AdminProperties = {
  is_active: Type.Boolean({ description: 'False: may not sign in, and every session is over.', examples: [true] }),
  is_admin: Type.Boolean({ description: 'May manage all accounts.', examples: [false] }),
};

export const User = closed(
  {
    id: Id('The account.'),
    ...AccountProperties,
    ...AdminProperties,
    email_verified_at: nullable(Timestamp('When the owner proved to read this mailbox.')),
    created_at: Timestamp('When the account was made.'),
    updated_at: Timestamp('When it was last changed.'),
  },
  { title: 'User' },
);
