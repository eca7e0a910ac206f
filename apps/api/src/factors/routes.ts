import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import { Factors, NewTotp, RecoveryCodes, TotpConfirmation, UserParams } from './schemas.ts';
import type { FactorService } from './service.ts';

const removed = { 204: Type.Null({ description: 'Removed.' }) };

export function factorRoutes(app: App, services: { factors: FactorService }): void {
  totpRoutes(app, services);
  const { factors } = services;

  app.get(
    '/users/me/factors',
    {
      schema: {
        operationId: 'getFactors',
        tags: ['sign-in'],
        summary: 'Count your second factors',
        description:
          'Whether an authenticator app is in force, and how many passkeys and unused recovery codes there are.',
        response: { 200: Factors },
      },
    },
    async ({ scope }) => factors.count(scope),
  );

  app.post(
    '/users/me/recovery-codes',
    {
      schema: {
        operationId: 'replaceRecoveryCodes',
        tags: ['sign-in'],
        summary: 'Get new recovery codes',
        description: 'The old ones are void. Needs a second factor.',
        response: { 200: RecoveryCodes },
      },
      config: { fresh: freshSeconds, hasSecretAnswer: true, problems: ['not_found'] },
    },
    async (request) => ({ recovery_codes: await factors.replaceRecoveryCodes(request.scope, clientOf(request)) }),
  );

  app.delete(
    '/users/:user_id/factors',
    {
      schema: {
        operationId: 'removeFactorsOfUser',
        tags: ['users'],
        summary: 'Remove the second factors of a user (admins)',
        description: 'For a user who has lost them. Ends their sessions and sends them a mail.',
        params: UserParams,
        response: removed,
      },
      config: { admin: true, fresh: freshSeconds, problems: ['not_found'] },
    },
    async (request) => {
      await factors.removeAllOf(request.scope, request.params.user_id.toLowerCase(), clientOf(request));
    },
  );
}

function totpRoutes(app: App, { factors }: { factors: FactorService }): void {
  app.post(
    '/users/me/totp',
    {
      schema: {
        operationId: 'beginTotp',
        tags: ['sign-in'],
        summary: 'Begin to use an authenticator app',
        description:
          'The secret is not in force before `POST /users/me/totp/confirm`. An earlier one stays in force until then.',
        response: { 201: NewTotp },
      },
      config: { fresh: freshSeconds, hasSecretAnswer: true },
    },
    async ({ scope }) => factors.beginTotp(scope),
  );

  app.post(
    '/users/me/totp/confirm',
    {
      schema: {
        operationId: 'confirmTotp',
        tags: ['sign-in'],
        summary: 'Confirm the authenticator app with a code',
        description: 'From now on, signing in needs a second factor. Your other sessions end.',
        body: TotpConfirmation,
        response: { 200: RecoveryCodes },
      },
      config: { hasSecretAnswer: true },
    },
    async (request) => ({
      recovery_codes: await factors.confirmTotp(request.scope, request.body.code, clientOf(request)),
    }),
  );

  app.delete(
    '/users/me/totp',
    {
      schema: {
        operationId: 'removeTotp',
        tags: ['sign-in'],
        summary: 'Stop using the authenticator app',
        description: 'Your other sessions end.',
        response: removed,
      },
      config: { fresh: freshSeconds, problems: ['not_found'] },
    },
    async (request) => {
      await factors.removeTotp(request.scope, clientOf(request));
    },
  );
}
