import formbody from '@fastify/formbody';
import { type Static, Type } from '@fastify/type-provider-typebox';
import { User } from '../account.ts';
import type { App } from '../schema.ts';
import type { Users } from '../users/service.ts';
import type { AccessTokens } from './access-token.ts';
import { Jwks, LoginForm, LoginJson, RefreshForm, RefreshJson, Registration, TokenPair } from './schemas.ts';
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
      config: { public: true, rateLimit: { max: 300 }, problems: ['email_taken', 'username_taken', 'overloaded'] },
    },
    async ({ body }, reply) => {
      const user = await users.create(body);
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
    async ({ scope }, reply) => {
      await auth.logout(scope);
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
    async ({ scope }, reply) => {
      await auth.logoutAll(scope);
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
          rateLimit: { max: 300 },
          problems: ['invalid_credentials', 'account_inactive', 'overloaded'],
        },
      },
      async ({ body, headers, ip }) => {
        const { password, username, email } = body as Static<typeof LoginJson>;
        return auth.login(email ?? username ?? '', password, { userAgent: headers['user-agent'], ipAddress: ip });
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
        config: { public: true, oauth: true, rateLimit: { max: 600 }, problems: ['invalid_token'] },
      },
      async ({ body }) => auth.refresh((body as Static<typeof RefreshJson>).refresh_token),
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

const bodyOf = (json: typeof LoginJson | typeof RefreshJson, form: typeof LoginForm | typeof RefreshForm) => ({
  content: { 'application/json': { schema: json }, 'application/x-www-form-urlencoded': { schema: form } },
});
