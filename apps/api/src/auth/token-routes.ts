import formbody from '@fastify/formbody';
import { clientOf } from '../http/client.ts';
import type { App } from '../http/schema.ts';
import { oauthRoutes } from './oauth-routes.ts';
import { type Login, LoginForm, LoginJson, type Refresh, RefreshForm, RefreshJson, TokenPair } from './schemas.ts';
import type { Auth } from './service.ts';
import { type SignInAnswer, signInResponses } from './sign-in-answer.ts';
import { signInThrottle } from './sign-in-throttle.ts';

/** The token endpoints. No other route accepts forms. The OpenAPI document names the first content type only, because generators of clients need one per operation. */
export async function tokenRoutes(app: App, { auth, signInAnswer }: { auth: Auth; signInAnswer: SignInAnswer }) {
  app.decorateRequest('account', null);
  await app.register(async (oauth: App) => {
    await oauth.register(formbody);
    loginRoute(oauth, auth, signInAnswer);
    refreshRoute(oauth, auth);
    oauthRoutes(oauth, { auth, signInAnswer });
  });
}

function loginRoute(app: App, auth: Auth, signInAnswer: SignInAnswer) {
  app.post(
    '/auth/login',
    {
      schema: {
        operationId: 'login',
        tags: ['auth'],
        summary: 'Sign in',
        description:
          'With an email or a username. A wrong password and an unknown name get the same response. Also accepts the form of the OAuth 2 password grant; OAuth 2 clients use `POST /oauth/token`.',
        body: bodyOf(LoginJson, LoginForm),
        response: signInResponses,
      },
      config: {
        public: true,
        oauth: true,
        problems: ['invalid_credentials', 'account_inactive', 'mfa_required'],
        throttle: signInThrottle(auth, (body) => nameOf(body as Login)),
      },
    },
    async (request, reply) => {
      const body = request.body as Login;
      const name = nameOf(body);
      // The rate limit has looked the account up, if there are limits. An unknown name costs one lookup too, so that the time reveals nothing.
      const account = request.account === null ? await auth.findAccount(name) : request.account;
      const result = await auth.login(account, name, body.password, clientOf(request));
      return signInAnswer(request, reply, result, 'session' in body ? body.session : undefined);
    },
  );
}

function refreshRoute(app: App, auth: Auth) {
  app.post(
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
        },
      },
    },
    async (request) => auth.refresh((request.body as Refresh).refresh_token, clientOf(request)),
  );
}

const nameOf = (body: Login) => ('email' in body ? body.email : body.username) ?? '';

const bodyOf = (json: typeof LoginJson | typeof RefreshJson, form: typeof LoginForm | typeof RefreshForm) => ({
  content: { 'application/json': { schema: json }, 'application/x-www-form-urlencoded': { schema: form } },
});
