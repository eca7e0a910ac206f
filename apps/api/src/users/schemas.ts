import { type Static, Type } from '@fastify/type-provider-typebox';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, Timestamp } from '../http/schema.ts';
import { AccountProperties, AdminProperties, PasswordProperty, User, UserKind } from './account.ts';

const CurrentPassword = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Your current password.',
  examples: ['correct horse battery'],
});

export const UserPage = pageOf('UserPage', User);

export const OwnChanges = changesOf(
  { ...AccountProperties, password: PasswordProperty, current_password: CurrentPassword },
  { title: 'OwnAccountChanges', examples: [{ full_name: 'Ada King' }] },
);
export type OwnChanges = Static<typeof OwnChanges>;

export const DeletionRequest = closed(
  {
    after_days: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30,
        default: 14,
        description: 'Days in which a sign-in cancels the deletion.',
      }),
    ),
  },
  { title: 'DeletionRequest', examples: [{ after_days: 14 }] },
);

export const RequestedDeletion = closed(
  { deletion_due_at: Timestamp('When the account is deleted, unless you sign in before.') },
  { title: 'RequestedDeletion' },
);

export const OwnDeletion = closed(
  { current_password: Type.Optional(CurrentPassword) },
  { title: 'OwnAccountDeletion', examples: [{ current_password: 'correct horse battery' }] },
);

export const NewUser = closed(
  {
    email: AccountProperties.email,
    kind: Type.Optional(UserKind),
    password: Type.Optional(PasswordProperty),
    username: Type.Optional(AccountProperties.username),
    full_name: Type.Optional(AccountProperties.full_name),
    is_active: Type.Optional(AdminProperties.is_active),
    is_admin: Type.Optional(AdminProperties.is_admin),
    current_password: Type.Optional(CurrentPassword),
  },
  { title: 'NewUser', examples: [{ email: 'grace@example.com', password: 'correct horse battery', is_admin: false }] },
);
export type NewUser = Static<typeof NewUser>;

export const UserChanges = changesOf(
  { ...AccountProperties, password: PasswordProperty, ...AdminProperties, current_password: CurrentPassword },
  { title: 'UserChanges', examples: [{ is_active: false }] },
);
export type UserChanges = Static<typeof UserChanges>;

export const UserQuery = closed({
  ...pageQuery,
  email: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: 'Part of the email address, regardless of case.' }),
  ),
  is_active: Type.Optional(Type.Boolean({ description: 'Filter by is_active.' })),
  is_admin: Type.Optional(Type.Boolean({ description: 'Filter by is_admin.' })),
});
export type UserQuery = Static<typeof UserQuery>;

export const UserParams = closed({ user_id: Id('Id of the account.') });
