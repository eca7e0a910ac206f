import { type Static, Type } from '@fastify/type-provider-typebox';
import { closed } from '../http/schema.ts';
import { AccountProperties, PasswordProperty } from '../users/account.ts';

export const Registration = closed(
  {
    email: AccountProperties.email,
    password: PasswordProperty,
    username: Type.Optional(AccountProperties.username),
    full_name: Type.Optional(AccountProperties.full_name),
  },
  {
    title: 'Registration',
    examples: [{ email: 'ada@example.com', password: 'correct horse battery', full_name: 'Ada Lovelace' }],
  },
);
export type Registration = Static<typeof Registration>;

const name = { minLength: 1, maxLength: 320 };
// No password rules at sign-in: a password that breaks them is wrong, not invalid.
const password = Type.String({ minLength: 1, maxLength: 256, description: 'Password of the account.' });
const grantType = Type.Optional(Type.Literal('password', { description: 'Sent by OAuth 2 clients.' }));

/** How the client wants its session: as tokens, or as a cookie. */
export const SessionForm = Type.Optional(
  Type.Literal('cookie', {
    description: 'For browsers: the answer is 204 with a session cookie instead of tokens.',
  }),
);
export type SessionForm = 'cookie' | undefined;

export const LoginJson = closed(
  {
    email: Type.Optional(Type.String({ ...name, description: 'Email address of the account.' })),
    username: Type.Optional(Type.String({ ...name, description: 'Username or email address of the account.' })),
    password,
    grant_type: grantType,
    session: SessionForm,
  },
  {
    title: 'Login',
    'x-exactly-one-of': ['email', 'username'],
    description: 'With either `email` or `username`.',
    examples: [{ email: 'ada@example.com', password: 'correct horse battery' }],
  },
);

// OAuth 2 clients send these. They have no effect: there is one client and one scope.
const oauthFields = {
  scope: Type.Optional(Type.String({ maxLength: 1000, description: 'Ignored.' })),
  client_id: Type.Optional(Type.String({ maxLength: 1000, description: 'Ignored.' })),
  client_secret: Type.Optional(Type.String({ maxLength: 1000, description: 'Ignored.' })),
};

/** OAuth 2's password grant (RFC 6749, 4.3.2). */
export const LoginForm = closed(
  {
    grant_type: grantType,
    username: Type.String({ ...name, description: 'Email address or username of the account.' }),
    password,
    ...oauthFields,
  },
  { title: 'LoginForm', examples: [{ username: 'ada@example.com', password: 'correct horse battery' }] },
);
export type Login = Static<typeof LoginJson> | Static<typeof LoginForm>;

const refresh = {
  refresh_token: Type.String({ minLength: 1, maxLength: 500, description: 'The latest refresh token of the session.' }),
  grant_type: Type.Optional(Type.Literal('refresh_token', { description: 'Sent by OAuth 2 clients.' })),
};
const exampleToken = 'AZng9XwecXs6mlMPXOmhwgAAAAAnM1k3c2Vuc2VsZXNzIGJ1dCBvZiB0aGUgcmlnaHQgbGVuZ3Ro';
const refreshExample = {
  examples: [{ refresh_token: exampleToken }],
};

export const RefreshJson = closed(refresh, { title: 'Refresh', ...refreshExample });

/** OAuth 2's refresh grant (RFC 6749, 6). */
export const RefreshForm = closed({ ...refresh, ...oauthFields }, { title: 'RefreshForm', ...refreshExample });
export type Refresh = Static<typeof RefreshJson>;

export const TokenPair = closed(
  {
    access_token: Type.String({
      description: 'JWT (RFC 9068). Send it as `Authorization: Bearer …`.',
      examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJxdW9pbiJ9.signature'],
    }),
    refresh_token: Type.String({
      description: 'For `POST /auth/refresh`. It works once; the response contains the next one.',
      examples: [exampleToken],
    }),
    token_type: Type.Literal('bearer'),
    expires_in: Type.Integer({ description: 'Seconds until the access token expires.', examples: [900] }),
  },
  { title: 'TokenPair' },
);
export type TokenPair = Static<typeof TokenPair>;

/** A key set (RFC 7517). */
export const Jwks = closed(
  {
    keys: Type.Array(
      closed(
        {
          kty: Type.String({ examples: ['OKP'] }),
          crv: Type.String({ examples: ['Ed25519'] }),
          x: Type.String({ examples: ['11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'] }),
          y: Type.Optional(Type.String({ examples: ['4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM'] })),
          kid: Type.String({ examples: ['kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'] }),
          alg: Type.String({ examples: ['EdDSA'] }),
          use: Type.Literal('sig'),
        },
        { title: 'Jwk' },
      ),
    ),
  },
  { title: 'Jwks' },
);
