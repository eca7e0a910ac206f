import { isEmail, normalizeEmail } from '../http/email.ts';

/** What a provider says about the account of the user there. */
export interface Profile {
  issuer: string;
  subject: string;
  email: string | null;
  /** Whether the provider says that it has verified the address. */
  isEmailVerified: boolean;
  name: string | null;
}

const subjectLengthMax = 255;
const issuerLengthMax = 500;
const nameLengthMax = 255;

/** Returns the profile with the fields that this server can store. @throws Error without a usable subject */
export function profileOf(claims: {
  issuer: string;
  subject: unknown;
  email: unknown;
  email_verified: unknown;
  name: unknown;
}): Profile {
  const { issuer, subject, email, email_verified, name } = claims;
  if (typeof subject !== 'string' || !isStorable(subject, subjectLengthMax) || !isStorable(issuer, issuerLengthMax))
    throw new Error('the provider sent no usable subject');
  const address = typeof email === 'string' && email.length <= 255 && isEmail(email) ? normalizeEmail(email) : null;
  return {
    issuer,
    subject,
    email: address,
    // Some providers send a text (Apple, Amazon Cognito).
    // An address that only looks like another one after normalization may be another mailbox.
    isEmailVerified:
      email === String(email).normalize('NFKC') &&
      address !== null &&
      (email_verified === true || email_verified === 'true'),
    name: typeof name === 'string' && isStorable(name, nameLengthMax) ? name : null,
  };
}

/** PostgreSQL stores no NUL in texts. */
const isStorable = (text: string, lengthMax: number) =>
  text.length > 0 && text.length <= lengthMax && !text.includes('\u0000') && text.isWellFormed();
