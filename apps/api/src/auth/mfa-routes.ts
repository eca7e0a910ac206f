import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import type { App } from '../http/schema.ts';
import type { SessionCookie } from './cookie.ts';
import type { Mfa } from './mfa.ts';
import { MfaCompletion, SignInMethods, StepUpProof } from './mfa-schemas.ts';
import { type SignInAnswer, signInResponses } from './sign-in-answer.ts';
import type { StepUp } from './step-up.ts';

interface Services {
  mfa: Mfa;
  stepUp: StepUp;
  /** Whether passkeys can be used at APP_URL. */
  hasPasskeys: boolean;
  /** Sign-in providers. */
  identities: { providers: { id: string; name: string }[] };
  signInAnswer: SignInAnswer;
  sessionCookie: SessionCookie;
}

export function mfaRoutes(app: App, services: Services): void {
  const { hasPasskeys, identities } = services;
  app.get(
    '/auth/methods',
    {
      schema: {
        operationId: 'listSignInMethods',
        tags: ['auth'],
        summary: 'List the ways to sign in',
        description: 'What a sign-in page can offer. Does not depend on any account.',
        response: { 200: SignInMethods },
      },
      config: { public: true },
    },
    async () => ({ password: true, email_code: true, passkey: hasPasskeys, providers: identities.providers }),
  );
  mfaRoute(app, services);
  stepUpRoute(app, services);
}

function mfaRoute(app: App, { mfa, signInAnswer }: Services): void {
  app.post(
    '/auth/mfa',
    {
      schema: {
        operationId: 'completeMfa',
        tags: ['auth'],
        summary: 'Finish signing in with a second factor',
        description:
          'Send the `mfa_token` of the `mfa_required` answer, and one of `code`, `recovery_code` and `credential`. The token expires after five minutes and five tries.',
        body: MfaCompletion,
        response: signInResponses,
      },
      config: {
        public: true,
        problems: ['invalid_credentials', 'account_inactive'],
        throttle: { name: 'second factor', address: { burst: 100, perMinute: 30 } },
      },
    },
    async (request, reply) => {
      const { mfa_token, session, ...answer } = request.body;
      const result = await mfa.complete(mfa_token, answer, clientOf(request));
      return signInAnswer(request, reply, result, session);
    },
  );
}

function stepUpRoute(app: App, { stepUp, sessionCookie }: Services): void {
  app.post(
    '/auth/step-up',
    {
      schema: {
        operationId: 'stepUp',
        tags: ['auth'],
        summary: 'Authenticate again',
        description:
          'For ten minutes, this session may then call routes that answer `step_up_required`. If you have a second factor, a password does not suffice. A session cookie gets a new value.',
        body: StepUpProof,
        response: { 204: Type.Null({ description: 'The session counts as freshly authenticated.' }) },
      },
      config: {
        problems: ['wrong_password', 'mfa_required'],
        throttle: {
          name: 'password proof',
          account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 10, perMinute: 6 } },
          countsFailures: true,
        },
      },
    },
    async (request, reply) => {
      const isCookie = sessionCookie.isSent(request);
      const session = await stepUp.stepUp(request.scope, request.body, clientOf(request), isCookie);
      if (isCookie) sessionCookie.set(request, reply, session);
    },
  );
}
