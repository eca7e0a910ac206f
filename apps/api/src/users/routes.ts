import { type Static, Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import type { App } from '../http/schema.ts';
import { User } from './account.ts';
import type { AccountDeletion } from './account-deletion.ts';
import type { OwnAccount } from './own-account.ts';
import { ownAccountRoutes } from './own-account-routes.ts';
import { passwordProofs } from './reauthentication.ts';
import type { RegistrationService } from './registration.ts';
import { NewUser, UserChanges, UserPage, UserParams, UserQuery } from './schemas.ts';
import type { Users } from './service.ts';

export function userRoutes(
  app: App,
  services: {
    users: Users;
    registration: RegistrationService;
    ownAccount: OwnAccount;
    accountDeletion: AccountDeletion;
  },
): void {
  ownAccountRoutes(app, services);
  adminRoutes(app, services);
}

function adminRoutes(app: App, { users, registration }: { users: Users; registration: RegistrationService }): void {
  listAndCreateRoutes(app, { users, registration });
  itemRoutes(app, { users });
}

function listAndCreateRoutes(
  app: App,
  { users, registration }: { users: Users; registration: RegistrationService },
): void {
  app.get(
    '/users',
    {
      schema: {
        operationId: 'listUsers',
        tags: ['users'],
        summary: 'List all accounts, newest first (admins)',
        description: 'Filters can be combined.',
        querystring: UserQuery,
        response: { 200: UserPage },
      },
      config: { admin: true, problems: ['query_too_expensive'], concurrency: { name: 'admin lists', perUser: 2 } },
    },
    async ({ query }) => users.list(query),
  );

  app.post(
    '/users',
    {
      schema: {
        operationId: 'createUser',
        tags: ['users'],
        summary: 'Create an account (admins)',
        description:
          'A person needs a password. A service account (`kind: "service"`) has none, cannot sign in, and uses API keys; its address gets mails about them. Creating an admin requires a sign-in within the last 10 minutes, or `current_password`.',
        body: NewUser,
        response: { 201: User },
      },
      config: {
        admin: true,
        problems: ['wrong_password', 'email_taken', 'username_taken'],
        throttle: passwordProofs,
        location: ({ id }: Static<typeof User>) => `/users/${id}`,
      },
    },
    async (request) => registration.create(request.body, clientOf(request), request.scope),
  );
}

function itemRoutes(app: App, { users }: { users: Users }): void {
  app.get(
    '/users/:user_id',
    {
      schema: {
        operationId: 'getUser',
        tags: ['users'],
        summary: 'Get an account (admins)',
        description: 'Same fields as `GET /users/me`.',
        params: UserParams,
        response: { 200: User },
      },
      config: { admin: true, isVersioned: true, problems: ['not_found'] },
    },
    async ({ params }) => users.get(params.user_id),
  );

  for (const [method, operationId] of [
    ['PATCH', 'updateUser'],
    ['PUT', 'replaceUser'],
  ] as const) {
    app.route({
      method,
      url: '/users/:user_id',
      schema: {
        operationId,
        tags: ['users'],
        summary: 'Update an account (admins)',
        description:
          'Changes the fields that are sent, with PATCH and with PUT. Deactivating and a new password end the sessions of the user. Changes of email, username, password, `is_admin` and `is_active` require a sign-in within the last 10 minutes, or your own `current_password`.',
        params: UserParams,
        body: UserChanges,
        response: { 200: User },
      },
      config: {
        admin: true,
        isVersioned: true,
        problems: ['wrong_password', 'not_found', 'email_taken', 'username_taken', 'last_admin'],
        throttle: passwordProofs,
      },
      handler: async (request) =>
        users.update(
          request.scope,
          request.params.user_id.toLowerCase(),
          request.body,
          clientOf(request),
          request.versions,
        ),
    });
  }

  app.delete(
    '/users/:user_id',
    {
      schema: {
        operationId: 'deleteUser',
        tags: ['users'],
        summary: 'Delete an account and all its data (admins)',
        description: 'The account is unusable at once. A job deletes its rows soon after.',
        params: UserParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: {
        admin: true,
        isVersioned: true,
        problems: ['not_found', 'cannot_delete_self', 'last_admin', 'last_owner'],
      },
    },
    async (request) => {
      await users.delete(request.scope, request.params.user_id.toLowerCase(), clientOf(request), request.versions);
    },
  );
}
