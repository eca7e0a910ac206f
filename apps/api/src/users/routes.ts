import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import type { App } from '../http/schema.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import { User } from './account.ts';
import { NewUser, OwnChanges, OwnDeletion, UserChanges, UserPage, UserParams, UserQuery } from './schemas.ts';
import type { Users } from './service.ts';

/** Limits guesses of the password with a stolen access token. */
const passwordProofs: Throttle = {
  name: 'password proof',
  account: {
    of: ({ scope, body }) => ((body as OwnChanges).current_password === undefined ? undefined : scope.actor.userId),
    fromAll: { burst: 10, perMinute: 6 },
  },
  countsFailures: true,
};

export function userRoutes(app: App, { users }: { users: Users }) {
  app.get(
    '/users/me',
    { schema: { operationId: 'getMe', tags: ['users'], summary: 'Get your account', response: { 200: User } } },
    async ({ user }) => user,
  );

  for (const [method, operationId] of [
    ['PATCH', 'updateMe'],
    ['PUT', 'replaceMe'],
  ] as const) {
    app.route({
      method,
      url: '/users/me',
      schema: {
        operationId,
        tags: ['users'],
        summary: 'Update your account',
        description:
          'Changes the fields that are sent, with PATCH and with PUT. A new email, username or password requires `current_password`. A new password ends all other sessions. A new email is not verified.',
        body: OwnChanges,
        response: { 200: User },
      },
      config: {
        problems: ['wrong_password', 'not_found', 'email_taken', 'username_taken'],
        throttle: passwordProofs,
      },
      handler: async (request) => users.updateSelf(request.scope, request.body, clientOf(request)),
    });
  }

  app.delete(
    '/users/me',
    {
      schema: {
        operationId: 'deleteMe',
        tags: ['users'],
        summary: 'Delete your account and all its data',
        body: OwnDeletion,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { problems: ['wrong_password', 'not_found', 'last_admin'], throttle: passwordProofs },
    },
    async (request, reply) => {
      await users.deleteSelf(request.scope, request.body.current_password, clientOf(request));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/users',
    {
      schema: {
        operationId: 'listUsers',
        tags: ['users'],
        summary: 'List all accounts, newest first (admins)',
        querystring: UserQuery,
        response: { 200: UserPage },
      },
      config: { admin: true, concurrency: { name: 'admin lists', perUser: 2 } },
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
        description: 'Creating an admin requires a sign-in within the last 10 minutes, or `current_password`.',
        body: NewUser,
        response: { 201: User },
      },
      config: {
        admin: true,
        problems: ['wrong_password', 'email_taken', 'username_taken'],
        throttle: passwordProofs,
      },
    },
    async (request, reply) => {
      const user = await users.create(request.body, clientOf(request), request.scope);
      return reply.code(201).header('location', `${app.prefix}/users/${user.id}`).send(user);
    },
  );

  app.get(
    '/users/:user_id',
    {
      schema: {
        operationId: 'getUser',
        tags: ['users'],
        summary: 'Get an account (admins)',
        params: UserParams,
        response: { 200: User },
      },
      config: { admin: true, problems: ['not_found'] },
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
        problems: ['wrong_password', 'not_found', 'email_taken', 'username_taken', 'last_admin'],
        throttle: passwordProofs,
      },
      handler: async (request) =>
        users.update(request.scope, request.params.user_id.toLowerCase(), request.body, clientOf(request)),
    });
  }

  app.delete(
    '/users/:user_id',
    {
      schema: {
        operationId: 'deleteUser',
        tags: ['users'],
        summary: 'Delete an account and all its data (admins)',
        params: UserParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { admin: true, problems: ['not_found', 'cannot_delete_self', 'last_admin'] },
    },
    async (request, reply) => {
      await users.delete(request.scope, request.params.user_id.toLowerCase(), clientOf(request));
      return reply.code(204).send(null);
    },
  );
}
