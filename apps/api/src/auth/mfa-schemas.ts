import { Type } from '@fastify/type-provider-typebox';
import { closed } from '../http/schema.ts';
import { SessionForm } from './schemas.ts';

/** A code of an authenticator app. */
export const Code = Type.String({
  pattern: '^[0-9]{6}$',
  description: 'Six digits, of an authenticator app.',
  examples: ['492039'],
});
const recovery_code = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'A recovery code. It works once.',
  examples: ['k2v7qd-9xw4mt-b3n8hz-r5c6jp'],
});
/** What `navigator.credentials` returns. `@simplewebauthn/server` checks what is in it. */
export const Credential = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 1400 }),
    rawId: Type.String({ minLength: 1, maxLength: 1400 }),
    type: Type.Literal('public-key'),
    response: Type.Record(Type.String(), Type.Unknown()),
  },
  {
    additionalProperties: true,
    description: 'The result of `navigator.credentials.create` or `get`, as its `toJSON` returns it.',
    examples: [{ id: 'AQID', rawId: 'AQID', type: 'public-key', response: { clientDataJSON: 'e30' } }],
  },
);

const exactlyOne = (...names: string[]) => ({
  'x-exactly-one-of': names,
  description: `With exactly one of ${names.map((name) => `\`${name}\``).join(', ')}.`,
});

export const MfaCompletion = closed(
  {
    mfa_token: Type.String({ minLength: 1, maxLength: 200, description: 'From the `mfa_required` answer.' }),
    code: Type.Optional(Code),
    recovery_code: Type.Optional(recovery_code),
    credential: Type.Optional(Credential),
    session: SessionForm,
  },
  {
    title: 'MfaCompletion',
    ...exactlyOne('code', 'recovery_code', 'credential'),
    examples: [{ mfa_token: 'Zm9yIGFuIGV4YW1wbGUsIGl0IGhhcyAzMiBieXRlczo', code: '492039' }],
  },
);

export const StepUpProof = closed(
  {
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'Your password.' })),
    code: Type.Optional(Code),
    credential: Type.Optional(Credential),
  },
  {
    title: 'StepUpProof',
    ...exactlyOne('password', 'code', 'credential'),
    examples: [{ password: 'correct horse battery' }],
  },
);

export const SignInMethods = closed(
  {
    password: Type.Boolean({ description: 'Whether passwords are accepted.', examples: [true] }),
    email_code: Type.Boolean({ description: 'Whether a code by mail is accepted.', examples: [true] }),
    passkey: Type.Boolean({ description: 'Whether passkeys are accepted.', examples: [true] }),
    providers: Type.Array(closed({ id: Type.String(), name: Type.String() }, { title: 'SignInProvider' }), {
      description: 'Other services that accounts can sign in with.',
      examples: [[]],
    }),
  },
  { title: 'SignInMethods' },
);
