import { type Static, Type } from '@fastify/type-provider-typebox';
import type { Config } from '../config/config.ts';
import { clientOf } from '../http/client.ts';
import { invalid } from '../http/errors.ts';
import { originOf } from '../http/origin.ts';
import { type App, closed } from '../http/schema.ts';
import { TokenPair } from './schemas.ts';
import type { Auth } from './service.ts';
import type { SignInAnswer } from './sign-in-answer.ts';
import { signInThrottle } from './sign-in-throttle.ts';

// The token endpoint of OAuth 2 (RFC 6749) and its metadata (RFC 8414), for clients that know nothing of this server but its URL.

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 500, description }));
const ignored = Type.Optional(Type.String({ maxLength: 1000, description: 'Ignored.' }));

const TokenRequest = Type.Object(
  {
    grant_type: Type.Unsafe<'password' | 'refresh_token'>({
      type: 'string',
      enum: ['password', 'refresh_token'],
      description: 'How the client gets a token.',
    }),
    username: text('With `password`: email address or username of the account.'),
    password: text('With `password`: its password.'),
    refresh_token: text('With `refresh_token`: the latest refresh token of the session.'),
    scope: ignored,
    client_id: ignored,
    client_secret: ignored,
  },
  {
    title: 'TokenRequest',
    // A server ignores parameters that it does not know (RFC 6749, 3.2).
    additionalProperties: true,
    examples: [{ grant_type: 'password', username: 'ada@example.com', password: 'correct horse battery' }],
  },
);
type TokenRequest = Static<typeof TokenRequest>;

interface Services {
  auth: Auth;
  signInAnswer: SignInAnswer;
}

/** @param app with a parser of forms */
export function oauthRoutes(app: App, { auth, signInAnswer }: Services): void {
  app.post(
    '/oauth/token',
    {
      schema: {
        operationId: 'issueToken',
        tags: ['auth'],
        summary: 'Get tokens as an OAuth 2 client',
        description:
          'The grants `password` and `refresh_token` of RFC 6749, for standard clients. Every client is public: an id and a secret are ignored. `mfa_required` has status 403 and the fields of `POST /auth/login`.',
        body: { content: { 'application/x-www-form-urlencoded': { schema: TokenRequest } } },
        response: { 200: TokenPair },
      },
      config: {
        public: true,
        oauth: 'token',
        problems: ['invalid_credentials', 'account_inactive', 'mfa_required', 'invalid_token'],
        throttle: signInThrottle(auth, (body) => {
          const { grant_type, username } = body as TokenRequest;
          // A refresh tests no password.
          return grant_type === 'password' ? username : undefined;
        }),
      },
    },
    async (request, reply) => {
      const { grant_type, username, password, refresh_token } = request.body as TokenRequest;
      const client = clientOf(request);
      if (grant_type === 'refresh_token') return auth.refresh(given('/refresh_token', refresh_token), client);
      const name = given('/username', username);
      // The rate limit has looked the account up, if there are limits.
      const account = request.account === null ? await auth.findAccount(name) : request.account;
      const result = await auth.login(account, name, given('/password', password), client);
      return (await signInAnswer(request, reply, result, undefined)) as TokenPair;
    },
  );
}

/** @throws Problem `validation_failed` */
function given(pointer: string, value: string | undefined): string {
  if (value === undefined) throw invalid(pointer, 'is required');
  return value;
}

const ServerMetadata = closed(
  {
    issuer: Type.String({ examples: ['https://api.example.com'] }),
    token_endpoint: Type.String({ examples: ['https://api.example.com/api/v1/oauth/token'] }),
    jwks_uri: Type.String({ examples: ['https://api.example.com/.well-known/jwks.json'] }),
    grant_types_supported: Type.Array(Type.String(), { examples: [['password', 'refresh_token']] }),
    response_types_supported: Type.Array(Type.String({ examples: ['none'] })),
    token_endpoint_auth_methods_supported: Type.Array(Type.String({ examples: ['none'] })),
  },
  { title: 'AuthorizationServerMetadata' },
);

/** The metadata, at their well-known path outside of the prefix. */
export function oauthMetadataRoute(app: App, config: Pick<Config, 'apiPrefix' | 'publicUrl'>): void {
  app.get(
    '/.well-known/oauth-authorization-server',
    {
      schema: {
        operationId: 'getAuthorizationServerMetadata',
        tags: ['auth'],
        summary: 'Describe this server to OAuth 2 clients',
        description: 'Metadata by RFC 8414. `issuer` is PUBLIC_URL, or the origin that the client used.',
        response: { 200: ServerMetadata },
      },
      config: { public: true, evenWhenOverloaded: true },
    },
    async (request) => {
      const issuer = originOf(request, config);
      return {
        issuer,
        token_endpoint: `${issuer}${config.apiPrefix}/oauth/token`,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        grant_types_supported: ['password', 'refresh_token'],
        // There is no authorization endpoint. Some clients require the field and refuse an empty list.
        response_types_supported: ['none'],
        token_endpoint_auth_methods_supported: ['none'],
      };
    },
  );
}
