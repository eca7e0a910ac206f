import { type Static, Type } from '@fastify/type-provider-typebox';
import { closed } from '../http/schema.ts';
import { AccountProperties, PasswordProperty } from '../users/account.ts';

export const ForgottenPassword = closed(
  { email: AccountProperties.email },
  { title: 'ForgottenPassword', examples: [{ email: 'ada@example.com' }] },
);
export type ForgottenPassword = Static<typeof ForgottenPassword>;

const token = Type.String({ minLength: 1, maxLength: 200, description: 'Token from the link in the mail.' });
const exampleOfMail = 'Zm9yIGFuIGV4YW1wbGUsIGl0IGhhcyAzMiBieXRlczo';

export const TokenOfMail = closed({ token }, { title: 'TokenOfMail', examples: [{ token: exampleOfMail }] });

export const PasswordReset = closed(
  { token, new_password: PasswordProperty },
  { title: 'PasswordReset', examples: [{ token: exampleOfMail, new_password: 'another horse battery' }] },
);
