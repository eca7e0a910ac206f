import { Type } from '@fastify/type-provider-typebox';
import { Credential } from '../auth/mfa-schemas.ts';
import { SessionForm } from '../auth/schemas.ts';
import { closed, Id, nullable, Timestamp } from '../http/schema.ts';

const name = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '\\S',
  description: 'Name of the passkey.',
  examples: ['Laptop'],
});

export const Passkey = closed(
  {
    id: Id('Id of the passkey.'),
    name,
    created_at: Timestamp('When it was added.'),
    last_used_at: nullable(Timestamp('When it last signed in.')),
    is_backed_up: Type.Boolean({
      description: 'Whether the key was backed up when it was last used.',
      examples: [true],
    }),
  },
  { title: 'Passkey' },
);
export const PasskeyList = closed({ items: Type.Array(Passkey) }, { title: 'PasskeyList' });
export const PasskeyParams = closed({ passkey_id: Id('Id of the passkey.') });

const exampleCredential = { id: 'AQID', rawId: 'AQID', type: 'public-key', response: { clientDataJSON: 'e30' } };

export const NewPasskey = closed(
  { name: Type.Optional(name), credential: Credential },
  { title: 'NewPasskey', examples: [{ name: 'Laptop', credential: exampleCredential }] },
);
export const PasskeyChanges = closed({ name }, { title: 'PasskeyChanges', examples: [{ name: 'Old laptop' }] });

export const PasskeySignIn = closed(
  { credential: Credential, session: SessionForm },
  { title: 'PasskeySignIn', examples: [{ credential: exampleCredential }] },
);

const exampleChallenge = 'Zm9yIGFuIGV4YW1wbGUsIGl0IGhhcyAzMiBieXRlczo';
const open = { additionalProperties: true };
const text = Type.String();

/** `PublicKeyCredentialCreationOptionsJSON` of WebAuthn. */
export const CreationOptions = Type.Object(
  {
    challenge: text,
    rp: Type.Object({ id: text, name: text }, open),
    user: Type.Object({ id: text, name: text, displayName: text }, open),
    pubKeyCredParams: Type.Array(Type.Object({ alg: Type.Integer(), type: text }, open)),
    timeout: Type.Integer(),
    excludeCredentials: Type.Array(Type.Object({ id: text, type: text }, open)),
    authenticatorSelection: Type.Object({}, open),
    attestation: text,
  },
  {
    ...open,
    title: 'PasskeyCreationOptions',
    examples: [
      {
        challenge: exampleChallenge,
        rp: { id: 'app.example.com', name: 'app.example.com' },
        user: { id: 'c29tZSByYW5kb20gYnl0ZXM', name: 'ada@example.com', displayName: 'Ada Lovelace' },
        pubKeyCredParams: [{ alg: -8, type: 'public-key' }],
        timeout: 300_000,
        excludeCredentials: [],
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        attestation: 'none',
      },
    ],
    description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON`.',
  },
);

/** `PublicKeyCredentialRequestOptionsJSON` of WebAuthn. */
export const RequestOptions = Type.Object(
  {
    challenge: text,
    rpId: text,
    timeout: Type.Integer(),
    allowCredentials: Type.Array(Type.Object({ id: text, type: text }, open)),
    userVerification: text,
  },
  {
    ...open,
    title: 'PasskeyRequestOptions',
    examples: [
      {
        challenge: exampleChallenge,
        rpId: 'app.example.com',
        timeout: 300_000,
        allowCredentials: [],
        userVerification: 'required',
      },
    ],
    description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON`.',
  },
);

export const RelatedOrigins = closed(
  { origins: Type.Array(Type.String({ examples: ['https://app.example.com'] })) },
  { title: 'RelatedOrigins' },
);
