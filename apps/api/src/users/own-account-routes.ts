import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import { User } from './account.ts';
import type { AccountDeletion } from './account-deletion.ts';
import type { OwnAccount } from './own-account.ts';
import { passwordProofs } from './reauthentication.ts';
import { DeletionRequest, OwnChanges, OwnDeletion, RequestedDeletion } from './schemas.ts';

/** Each request mails the user. */
const deletionRequests: Throttle = {
  name: 'deletion requests',
  account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 5, perMinute: 5 / 1_440 } },
};

export function ownAccountRoutes(
  app: App,
  { ownAccount, accountDeletion }: { ownAccount: OwnAccount; accountDeletion: AccountDeletion },
) {
  app.get(
    '/users/me',
    {
      schema: {
        operationId: 'getMe',
        tags: ['users'],
        summary: 'Get your account',
        description: 'The account as it is now, not as it was when you signed in.',
        response: { 200: User },
      },
      config: { requiredScope: 'profile:read', isVersioned: true },
    },
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
          'Changes the fields that are sent, with PATCH and with PUT. A new email, username or password requires `current_password`, or a session that was authenticated again (`POST /auth/step-up`) within ten minutes. A new password ends all other sessions. A new email is not verified.',
        body: OwnChanges,
        response: { 200: User },
      },
      config: {
        isVersioned: true,
        problems: ['wrong_password', 'step_up_required', 'not_found', 'email_taken', 'username_taken'],
        throttle: passwordProofs,
      },
      handler: async (request) => ownAccount.update(request.scope, request.body, clientOf(request), request.versions),
    });
  }

  app.post(
    '/users/me/deletion',
    {
      schema: {
        operationId: 'requestDeletion',
        tags: ['users'],
        summary: 'Delete your account after a pause',
        description:
          'Ends all sessions, and mails you the date of the deletion. API keys are refused until then. Signing in before that date cancels the deletion.',
        body: DeletionRequest,
        response: { 202: RequestedDeletion },
      },
      config: {
        isBodyOptional: true,
        fresh: freshSeconds,
        problems: ['not_found', 'last_admin', 'last_owner'],
        throttle: deletionRequests,
      },
    },
    async (request, reply) => {
      const { after_days = 14 } = request.body;
      return reply.code(202).send(await accountDeletion.request(request.scope, after_days, clientOf(request)));
    },
  );

  app.delete(
    '/users/me',
    {
      schema: {
        operationId: 'deleteMe',
        tags: ['users'],
        summary: 'Delete your account and all its data',
        description: 'Requires `current_password`, or a session that was authenticated again within ten minutes.',
        body: OwnDeletion,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: {
        isBodyOptional: true,
        isVersioned: true,
        problems: ['wrong_password', 'step_up_required', 'not_found', 'last_admin', 'last_owner'],
        throttle: passwordProofs,
      },
    },
    async (request) => {
      await ownAccount.delete(request.scope, request.body.current_password, clientOf(request), request.versions);
    },
  );
}
