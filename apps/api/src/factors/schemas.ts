import { Type } from '@fastify/type-provider-typebox';
import { Code } from '../auth/mfa-schemas.ts';
import { closed, Id } from '../http/schema.ts';

export const Factors = closed(
  {
    totp: Type.Boolean({ description: 'Whether an authenticator app is in force.', examples: [true] }),
    passkeys: Type.Integer({ description: 'Number of passkeys.', examples: [2] }),
    recovery_codes_left: Type.Integer({ description: 'Number of unused recovery codes.', examples: [10] }),
  },
  { title: 'Factors' },
);

export const NewTotp = closed(
  {
    secret: Type.String({
      description: 'The secret in base32, to type it.',
      examples: ['JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'],
    }),
    otpauth_url: Type.String({
      description: 'The same for a QR code.',
      examples: ['otpauth://totp/app.example.com:ada%40example.com?issuer=app.example.com&secret=JBSWY3DPEHPK3PXP'],
    }),
  },
  { title: 'NewTotp' },
);

export const TotpConfirmation = closed({ code: Code }, { title: 'TotpConfirmation', examples: [{ code: '492039' }] });

export const RecoveryCodes = closed(
  {
    recovery_codes: Type.Array(Type.String({ examples: ['k2v7qd-9xw4mt-b3n8hz-r5c6jp'] }), {
      description: 'Ten codes, shown only now. Each signs in once instead of the second factor.',
    }),
  },
  { title: 'RecoveryCodes' },
);

export const UserParams = closed({ user_id: Id('Id of the account.') });
