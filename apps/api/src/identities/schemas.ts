import { type Static, Type } from '@fastify/type-provider-typebox';
import { SessionForm } from '../auth/schemas.ts';
import { closed, Id, nullable, Timestamp } from '../http/schema.ts';

const codeChallenge = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'SHA-256 of a `code_verifier` that your client made and keeps, in base64url (RFC 7636, S256).',
  examples: ['E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
});
const returnTo = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'Path below APP_URL to which the browser returns; `/` if not given.',
  examples: ['/signed-in'],
});

export const ProviderStart = closed(
  { code_challenge: codeChallenge, return_to: Type.Optional(returnTo) },
  {
    title: 'ProviderStart',
    examples: [{ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', return_to: '/signed-in' }],
  },
);
export type ProviderStart = Static<typeof ProviderStart>;

export const ProviderUrl = closed(
  {
    url: Type.String({
      description: 'Page of the provider. Send the browser there.',
      examples: ['https://accounts.google.com/o/oauth2/v2/auth?client_id=…'],
    }),
  },
  { title: 'ProviderUrl' },
);

export const ProviderParams = closed({
  provider_id: Type.String({
    maxLength: 50,
    description: 'Id of the provider, as in `GET /auth/methods`.',
    examples: ['google'],
  }),
});

/** What the provider sends. Providers add fields of their own. */
export const ProviderAnswer = Type.Object(
  { state: Type.Optional(Type.String({ maxLength: 200, description: 'As in the request to the provider.' })) },
  { additionalProperties: true },
);

export const Exchange = closed(
  {
    code: Type.String({
      minLength: 1,
      maxLength: 200,
      description: '`code` of the page to which the browser returned. It works once, for a minute.',
      examples: ['2Fq8xXjL5yS6c4oQ0mN1b7Vd9KpRtUwZaEhGiJkMnPs'],
    }),
    code_verifier: Type.String({
      pattern: '^[A-Za-z0-9._~-]{43,128}$',
      description: 'The verifier whose SHA-256 was sent as `code_challenge`.',
      examples: ['dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'],
    }),
    session: SessionForm,
  },
  {
    title: 'Exchange',
    examples: [
      {
        code: '2Fq8xXjL5yS6c4oQ0mN1b7Vd9KpRtUwZaEhGiJkMnPs',
        code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
      },
    ],
  },
);

export const Identity = closed(
  {
    id: Id('Id of the identity.'),
    provider: Type.String({ description: 'Id of the provider.', examples: ['google'] }),
    issuer: Type.String({ description: 'URL of the provider.', examples: ['https://accounts.google.com'] }),
    email: nullable(
      Type.String({ description: 'Address that the provider has for your account.', examples: ['ada@example.com'] }),
    ),
    created_at: Timestamp('When it was linked.'),
    last_used_at: nullable(Timestamp('When it last signed in; null before the first time.')),
  },
  { title: 'Identity' },
);
export const IdentityList = closed({ items: Type.Array(Identity) }, { title: 'IdentityList' });
export const IdentityParams = closed({ identity_id: Id('Id of the identity.') });
