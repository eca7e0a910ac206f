import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import { User } from '../users/account.ts';
import type { RegistrationService } from '../users/registration.ts';
import type { AccessTokens } from './access-token.ts';
import type { SessionCookie } from './cookie.ts';
import type { Mfa } from './mfa.ts';
import { mfaRoutes } from './mfa-routes.ts';
import { Jwks, Registration } from './schemas.ts';
import type { Auth } from './service.ts';
import { sessionRoutes } from './session-routes.ts';
import type { Sessions } from './session-service.ts';
import type { SignInAnswer } from './sign-in-answer.ts';
import type { StepUp } from './step-up.ts';
import { tokenRoutes } from './token-routes.ts';

const noContent = { 204: Type.Null({ description: 'Done.' }) };

interface Services {
  auth: Auth;
  registration: RegistrationService;
  sessions: Sessions;
  mfa: Mfa;
  stepUp: StepUp;
  hasPasskeys: boolean;
  identities: { providers: { id: string; name: string }[] };
  signInAnswer: SignInAnswer;
  sessionCookie: SessionCookie;
}

export async function authRoutes(app: App, services: Services): Promise<void> {
  registrationRoute(app, services);
  signedInRoutes(app, services);
  await tokenRoutes(app, services);
  mfaRoutes(app, services);
  sessionRoutes(app, services);
}

function registrationRoute(app: App, { registration }: { registration: RegistrationService }) {
  app.post(
    '/auth/register',
    {
      schema: {
        operationId: 'register',
        tags: ['auth'],
        summary: 'Register',
        description: 'Creates an account and sends a mail that verifies its address. Signing in is the next step.',
        body: Registration,
        response: { 201: User },
      },
      config: {
        public: true,
        problems: ['email_taken', 'username_taken'],
        throttle: {
          name: 'register',
          address: { burst: 300, perMinute: 60 },
          account: {
            of: ({ body }) => normalizeEmail((body as Registration).email),
            fromAll: { burst: 10, perMinute: 6 },
          },
        },
        location: () => '/users/me',
      },
    },
    async (request) => registration.create(request.body, clientOf(request)),
  );
}

/** The account of the caller, and signing out. */
function signedInRoutes(app: App, { auth, sessionCookie }: Services) {
  app.get(
    '/auth/me',
    {
      schema: {
        operationId: 'getSignedInUser',
        tags: ['auth'],
        summary: 'Get your account',
        description: 'Same as `GET /users/me`.',
        response: { 200: User },
      },
      config: { requiredScope: 'profile:read' },
    },
    async ({ user }) => user,
  );

  app.post(
    '/auth/logout',
    {
      schema: {
        operationId: 'logout',
        tags: ['auth'],
        summary: 'End this session',
        description: 'Its access and refresh tokens stop working at once.',
        response: noContent,
      },
    },
    async (request, reply) => {
      await auth.logout(request.scope, clientOf(request));
      if (sessionCookie.isSent(request)) sessionCookie.signOut(request, reply);
    },
  );

  app.post(
    '/auth/logout-all',
    {
      schema: {
        operationId: 'logoutAll',
        tags: ['auth'],
        summary: 'End all your sessions',
        description: 'All your access and refresh tokens stop working at once, on every device.',
        response: noContent,
      },
      config: { fresh: freshSeconds },
    },
    async (request, reply) => {
      await auth.logoutAll(request.scope, clientOf(request));
      if (sessionCookie.isSent(request)) sessionCookie.signOut(request, reply);
    },
  );
}

/** The key set, at its well-known path outside of the prefix. */
export function keyRoutes(app: App, { accessTokens }: { accessTokens: AccessTokens }) {
  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getJwks',
        tags: ['auth'],
        summary: 'Get the public keys that verify access tokens',
        description: 'Empty with HS256.',
        response: { 200: Jwks },
      },
      config: { public: true, cacheable: true, evenWhenOverloaded: true },
    },
    async (_, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return { keys: accessTokens.publicKeys };
    },
  );
}
