import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import type { App } from '../http/schema.ts';
import { ForgottenPassword, PasswordReset, TokenOfMail } from './schemas.ts';
import type { Recovery } from './service.ts';

const noContent = { 204: Type.Null({ description: 'Done.' }) };
const accepted = { 202: Type.Unsafe<undefined>({ type: 'null', description: 'Accepted.' }) };
/** Limits load. Tokens of 256 bits cannot be guessed. */
const tokensFromOneAddress = { burst: 60, perMinute: 10 };
const mailsToOneAccount = { burst: 5, perMinute: 0.5 };

export function recoveryRoutes(app: App, { recovery }: { recovery: Recovery }): void {
  passwordRoutes(app, { recovery });
  emailRoutes(app, { recovery });
}

function passwordRoutes(app: App, { recovery }: { recovery: Recovery }): void {
  app.post(
    '/auth/password/forgot',
    {
      schema: {
        operationId: 'forgotPassword',
        tags: ['auth'],
        summary: 'Request a mail to reset a forgotten password',
        description:
          'The response is the same whether the account exists or not. The link in the latest mail works once, for ten minutes.',
        body: ForgottenPassword,
        response: accepted,
      },
      config: {
        public: true,
        throttle: {
          name: 'forgot',
          address: { burst: 60, perMinute: 10 },
          account: { of: ({ body }) => normalizeEmail((body as ForgottenPassword).email), fromAll: mailsToOneAccount },
        },
      },
    },
    async (request, reply) => {
      await recovery.forgot(request.body.email, clientOf(request));
      return reply.code(202).send(undefined);
    },
  );

  app.post(
    '/auth/password/reset',
    {
      schema: {
        operationId: 'resetPassword',
        tags: ['auth'],
        summary: 'Set a new password with the token from the mail',
        description: 'Ends all sessions. The email address counts as verified.',
        body: PasswordReset,
        response: noContent,
      },
      config: {
        public: true,
        throttle: { name: 'reset', address: tokensFromOneAddress },
      },
    },
    async (request) => {
      const { token, new_password } = request.body;
      const userId = await recovery.reset(token, new_password, clientOf(request));
      await app.recordOwnerAddress('login', userId, request);
    },
  );
}

function emailRoutes(app: App, { recovery }: { recovery: Recovery }): void {
  app.post(
    '/auth/email/verify',
    {
      schema: {
        operationId: 'verifyEmail',
        tags: ['auth'],
        summary: 'Verify an email address with the token from the mail',
        description:
          'Ends all other sessions. Send your access token if you have one: that session and the password stay. Without it, a password from before the verification stops working, because an impostor may have set it, and the address gets a mail to choose a new one.',
        body: TokenOfMail,
        response: noContent,
      },
      config: {
        public: 'or signed in',
        throttle: { name: 'verify', address: tokensFromOneAddress },
      },
    },
    async (request) => {
      await recovery.verify(request.body.token, request.scope ?? undefined, clientOf(request));
    },
  );

  app.post(
    '/auth/email/resend',
    {
      schema: {
        operationId: 'resendVerification',
        tags: ['auth'],
        summary: 'Request another mail to verify your email address',
        description: 'Sends nothing if the address is verified.',
        response: accepted,
      },
      config: {
        throttle: { name: 'resend', account: { of: ({ scope }) => scope.actor.userId, fromAll: mailsToOneAccount } },
      },
    },
    async (request, reply) => {
      await recovery.resend(request.scope, clientOf(request));
      return reply.code(202).send(undefined);
    },
  );
}
