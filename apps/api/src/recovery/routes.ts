import { Type } from '@fastify/type-provider-typebox';
import { ForgottenPassword, PasswordReset, TokenOfMail } from '../auth/schemas.ts';
import { clientOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import type { App } from '../http/schema.ts';
import type { Recovery } from './service.ts';

const noContent = { 204: Type.Null({ description: 'Done.' }) };
const accepted = { 202: Type.Unsafe<undefined>({ type: 'null', description: 'Noted.' }) };
/** Tokens have 256 bits, which nobody guesses at any rate. */
const tokensFromOneAddress = { burst: 60, perMinute: 10 };
const mailsToOneAccount = { burst: 5, perMinute: 0.5 };

export function recoveryRoutes(app: App, { recovery }: { recovery: Recovery }) {
  app.post(
    '/auth/password/forgot',
    {
      schema: {
        operationId: 'forgotPassword',
        tags: ['auth'],
        summary: 'Ask for a mail to reset the password',
        description:
          'The response is the same whether there is such an account or not. The link in the latest mail works once, for ten minutes.',
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
        summary: 'Set a new password, with the token of the mail',
        description: 'Every session ends, and the address counts as verified.',
        body: PasswordReset,
        response: noContent,
      },
      config: {
        public: true,
        throttle: { name: 'reset', address: tokensFromOneAddress },
      },
    },
    async (request, reply) => {
      const { token, new_password } = request.body;
      const userId = await recovery.reset(token, new_password, clientOf(request));
      await app.recordOwnerAddress('login', userId, request);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/email/verify',
    {
      schema: {
        operationId: 'verifyEmail',
        tags: ['auth'],
        summary: 'Verify an email address, with the token of the mail',
        description:
          'Send the access token too if you have one: that session and the password stay. All other sessions end. Without it, a password that was set before the address was verified stops working, because an impostor may have set it: the address then gets a mail to choose another one.',
        body: TokenOfMail,
        response: noContent,
      },
      config: {
        public: 'or signed in',
        throttle: { name: 'verify', address: tokensFromOneAddress },
      },
    },
    async (request, reply) => {
      await recovery.verify(request.body.token, request.scope ?? undefined, clientOf(request));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/email/resend',
    {
      schema: {
        operationId: 'resendVerification',
        tags: ['auth'],
        summary: 'Ask for another mail to verify your address',
        description: 'Nothing is sent where it is verified already.',
        response: accepted,
      },
      config: {
        throttle: { name: 'resend', account: { of: ({ scope }) => scope.userId, fromAll: mailsToOneAccount } },
      },
    },
    async (request, reply) => {
      await recovery.resend(request.scope, clientOf(request));
      return reply.code(202).send(undefined);
    },
  );
}
