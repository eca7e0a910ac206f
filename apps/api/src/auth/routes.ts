import formbody from '@fastify/formbody';
import { Type } from '@fastify/type-provider-typebox';
import { User } from '../account.ts';
import { clientOf } from '../client.ts';
import { normalizeEmail } from '../email.ts';
import type { App } from '../schema.ts';
import type { Users } from '../users/service.ts';
import type { AccessTokens } from './access-token.ts';
import { sessionIdOf } from './refresh-token.ts';
import {
  Jwks,
  type Login,
  LoginForm,
  LoginJson,
  type Refresh,
  RefreshForm,
  RefreshJson,
  Registration,
  TokenPair,
} from './schemas.ts';
import type { Auth } from './service.ts';

const noContent = { 204: Type.Null({ description: 'Done.' }) };

export async function authRoutes(app: App, { auth, users }: { auth: Auth; users: Users }) {
  app.post(
    '/auth/register',
    {
      schema: {
        operationId: 'register',
        tags: ['auth'],
        summary: 'Make an account for yourself',
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
      },
    },
    async (request, reply) => {
      const user = await users.create(request.body, clientOf(request));
      return reply.code(201).header('location', `${app.prefix}/users/me`).send(user);
    },
  );

  app.get(
    '/auth/me',
    { schema: { operationId: 'getSignedInUser', tags: ['auth'], summary: 'Your account', response: { 200: User } } },
    async ({ user }) => user,
  );

  app.post(
    '/auth/logout',
    {
      schema: {
        operationId: 'logout',
        tags: ['auth'],
        summary: 'End this session',
        description: 'Its access and refresh tokens are dead at once.',
        response: noContent,
      },
    },
    async (request, reply) => {
      await auth.logout(request.scope, clientOf(request));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/logout-all',
    {
      schema: {
        operationId: 'logoutAll',
        tags: ['auth'],
        summary: 'End all your sessions',
        description: 'Every access and refresh token of yours is dead at once, on every device.',
        response: noContent,
      },
    },
    async (request, reply) => {
      await auth.logoutAll(request.scope, clientOf(request));
      return reply.code(204).send(null);
    },
  );

  // The token endpoints speak OAuth 2 as well, whose clients send forms. Nothing else takes a form.
  await app.register(async (oauth: App) => {
    await oauth.register(formbody);

    oauth.post(
      '/auth/login',
      {
        schema: {
          operationId: 'login',
          tags: ['auth'],
          summary: 'Sign in',
          description:
            "OAuth 2's password grant as a form, or JSON. The answer to a wrong password and to an unknown name is the same.",
          body: bodyOf(LoginJson, LoginForm),
          response: { 200: TokenPair },
        },
        config: {
          public: true,
          oauth: true,
          problems: ['invalid_credentials', 'account_inactive'],
          throttle: {
            name: 'login',
            address: { burst: 100, perMinute: 30 },
            account: {
              of: ({ body }) => normalizeEmail(nameOf(body as Login)),
              fromOne: { burst: 10, perMinute: 6 },
              fromAll: { burst: 100, perMinute: 1 },
            },
            countsFailures: true,
          },
        },
      },
      async (request) => {
        const body = request.body as Login;
        return auth.login(nameOf(body), body.password, clientOf(request));
      },
    );

    oauth.post(
      '/auth/refresh',
      {
        schema: {
          operationId: 'refresh',
          tags: ['auth'],
          summary: 'Get the next tokens of your session',
          description:
            'A refresh token is good for one refresh. Sent again within REFRESH_GRACE_SECONDS (another tab was quicker, or the answer was lost) it gets the current one; later it counts as stolen, and the session ends.',
          body: bodyOf(RefreshJson, RefreshForm),
          response: { 200: TokenPair },
        },
        config: {
          public: true,
          oauth: true,
          problems: ['invalid_token'],
          throttle: {
            name: 'refresh',
            address: { burst: 1200, perMinute: 600 },
            account: {
              of: ({ body }) => sessionIdOf((body as Refresh).refresh_token),
              fromAll: { burst: 60, perMinute: 60 },
            },
          },
        },
      },
      async (request) => auth.refresh((request.body as Refresh).refresh_token, clientOf(request)),
    );
  });
}

/** The keys lie where every verifier looks for them, outside of the prefix. */
export function keyRoutes(app: App, { accessTokens }: { accessTokens: AccessTokens }) {
  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getJwks',
        tags: ['auth'],
        summary: 'The public keys that verify access tokens',
        description: 'Empty with HS256, whose secret is shared with nobody.',
        response: { 200: Jwks },
      },
      config: { public: true },
    },
    async (_, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return { keys: accessTokens.publicKeys };
    },
  );
}

const nameOf = (body: Login) => ('email' in body ? body.email : body.username) ?? '';

const bodyOf = (json: typeof LoginJson | typeof RefreshJson, form: typeof LoginForm | typeof RefreshForm) => ({
  content: { 'application/json': { schema: json }, 'application/x-www-form-urlencoded': { schema: form } },
});
