import { Type } from '@fastify/type-provider-typebox';
import { SessionForm } from '../auth/schemas.ts';
import { type SignInAnswer, signInResponses } from '../auth/sign-in-answer.ts';
import { clientOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { type App, closed } from '../http/schema.ts';
import { AccountProperties } from '../users/account.ts';
import type { EmailCodes } from './service.ts';

const EmailCodeRequest = closed(
  { email: AccountProperties.email },
  { title: 'EmailCodeRequest', examples: [{ email: 'ada@example.com' }] },
);
const challenge = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'The code counts only together with this challenge.',
  examples: ['Zm9yIGFuIGV4YW1wbGUsIGl0IGhhcyAzMiBieXRlczo'],
});
const EmailCodeChallenge = closed({ challenge }, { title: 'EmailCodeChallenge' });
const EmailCodeConfirmation = closed(
  {
    challenge,
    code: Type.String({ pattern: '^[0-9]{6}$', description: 'Six digits from the mail.', examples: ['492039'] }),
    session: SessionForm,
  },
  {
    title: 'EmailCodeConfirmation',
    examples: [{ challenge: 'Zm9yIGFuIGV4YW1wbGUsIGl0IGhhcyAzMiBieXRlczo', code: '492039' }],
  },
);

export function emailCodeRoutes(
  app: App,
  { emailCodes, signInAnswer }: { emailCodes: EmailCodes; signInAnswer: SignInAnswer },
): void {
  app.post(
    '/auth/email-code',
    {
      schema: {
        operationId: 'requestEmailCode',
        tags: ['sign-in'],
        summary: 'Request a mail with a code to sign in',
        description:
          'The response is the same whether the account exists or not. The latest code works once, for ten minutes and five tries.',
        body: EmailCodeRequest,
        response: { 202: EmailCodeChallenge },
      },
      config: {
        public: true,
        throttle: {
          name: 'email code',
          address: { burst: 60, perMinute: 10 },
          account: {
            of: ({ body }) => normalizeEmail((body as { email: string }).email),
            fromAll: { burst: 5, perMinute: 0.5 },
          },
        },
      },
    },
    async (request) => ({ challenge: await emailCodes.request(request.body.email, clientOf(request)) }),
  );

  app.post(
    '/auth/email-code/confirm',
    {
      schema: {
        operationId: 'signInWithEmailCode',
        tags: ['sign-in'],
        summary: 'Sign in with the code from the mail',
        description:
          'The address counts as verified. If it was not, a password from before stops working, because an impostor may have set it.',
        body: EmailCodeConfirmation,
        response: signInResponses,
      },
      config: {
        public: true,
        problems: ['invalid_credentials', 'account_inactive', 'mfa_required'],
        throttle: { name: 'email code answer', address: { burst: 60, perMinute: 30 } },
      },
    },
    async (request, reply) => {
      const { challenge, code, session } = request.body;
      const result = await emailCodes.confirm(challenge, code, clientOf(request));
      return signInAnswer(request, reply, result, session);
    },
  );
}
