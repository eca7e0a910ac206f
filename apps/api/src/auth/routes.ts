import formbody from '@fastify/formbody';
import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import type { App } from '../http/schema.ts';
import { User } from '../users/account.ts';
import type { Users } from '../users/service.ts';
import type { AccessTokens } from './access-token.ts';
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
import type { Account, Auth } from './service.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The account that a sign-in names; null until the rate limit has looked it up, and undefined if no account has the name. */
    account: Account | null;
  }
}

const noContent = { 204: Type.Null({ description: 'Done.' }) };

export async function authRoutes(app: App, { auth, users }: { auth: Auth; users: Users }) {
  app.decorateRequest('account', null);

  app.post(
    '/auth/register',
    {
      schema: {
        operationId: 'register',
        tags: ['auth'],
        summary: 'Register',
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
    {
      schema: { operationId: 'getSignedInUser', tags: ['auth'], summary: 'Get your account', response: { 200: User } },
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
        description: 'All your access and refresh tokens stop working at once, on every device.',
        response: noContent,
      },
    },
    async (request, reply) => {
      await auth.logoutAll(request.scope, clientOf(request));
      return reply.code(204).send(null);
    },
  );

  // OAuth 2 clients send forms to the token endpoints. No other route accepts forms.
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
            'Accepts JSON, or the form of the OAuth 2 password grant. A wrong password and an unknown name get the same response.',
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
              // By id, so that guesses by email and by username fill one bucket.
              of: async (request) => {
                const name = nameOf(request.body as Login);
                request.account = await auth.findAccount(name);
                return request.account ? request.account.id : `name ${normalizeEmail(name)}`;
              },
              fromOne: { burst: 10, perMinute: 6 },
              fromAll: { burst: 100, perMinute: 1 },
            },
            countsFailures: true,
          },
        },
      },
      async (request) => {
        const body = request.body as Login;
        const name = nameOf(body);
        // The rate limit has looked the account up, if there are limits. An unknown name costs one lookup too, so that the time reveals nothing.
        const account = request.account === null ? await auth.findAccount(name) : request.account;
        return auth.login(account, name, body.password, clientOf(request));
      },
    );

    oauth.post(
      '/auth/refresh',
      {
        schema: {
          operationId: 'refresh',
          tags: ['auth'],
          summary: 'Refresh the tokens of your session',
          description:
            'A refresh token works once. The same client can still exchange the previous token for the current one, within REFRESH_GRACE_SECONDS and until an access token of the latest response was used. Any other use of an old token counts as theft and ends the session.',
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
              of: ({ body }) => auth.sessionIdOf((body as Refresh).refresh_token),
              fromAll: { burst: 60, perMinute: 60 },
            },
          },
        },
      },
      async (request) => auth.refresh((request.body as Refresh).refresh_token, clientOf(request)),
    );
  });
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
      config: { public: true, cacheable: true },
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
