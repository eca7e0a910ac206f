import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import { SessionList, SessionParams, UserParams } from './session-schemas.ts';
import type { Sessions } from './session-service.ts';

const noContent = { 204: Type.Null({ description: 'Ended.' }) };

export function sessionRoutes(app: App, { sessions }: { sessions: Sessions }) {
  app.get(
    '/auth/sessions',
    {
      schema: {
        operationId: 'listSessions',
        tags: ['auth'],
        summary: 'List your sessions',
        description:
          'One per sign-in, with device, time and how you signed in. `current` is the session of this request.',
        response: { 200: SessionList },
      },
    },
    async ({ scope }) => sessions.list(scope),
  );

  app.delete(
    '/auth/sessions/:session_id',
    {
      schema: {
        operationId: 'endSession',
        tags: ['auth'],
        summary: 'End one of your sessions',
        description:
          'Its access and refresh tokens stop working at once. To end the session of this request, sign out.',
        params: SessionParams,
        response: noContent,
      },
      config: { fresh: freshSeconds, problems: ['not_found'] },
    },
    async (request) => {
      await sessions.end(request.scope, request.params.session_id.toLowerCase(), clientOf(request));
    },
  );

  app.delete(
    '/users/:user_id/sessions',
    {
      schema: {
        operationId: 'endSessionsOfUser',
        tags: ['users'],
        summary: 'End all sessions of a user (admins)',
        description: 'Their access and refresh tokens stop working at once. API keys stay.',
        params: UserParams,
        response: noContent,
      },
      config: { admin: true, problems: ['not_found'] },
    },
    async (request) => {
      await sessions.endAllOf(request.scope, request.params.user_id.toLowerCase(), clientOf(request));
    },
  );
}
