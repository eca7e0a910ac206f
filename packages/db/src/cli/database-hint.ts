import { DatabaseUnavailable } from '../unavailable.ts';

type Cause = Error & { code?: string; address?: string; port?: number; hostname?: string; errors?: Cause[] };

/** What a person can do about it, by SQLSTATE or by Node's code. */
const hints: Record<string, string> = {
  '28P01': 'check the user and the password in it; characters such as @ / : have to be percent-encoded there',
  '28000':
    'there is no such user, or the server does not let it in from here (pg_hba.conf), or only with TLS: append ?sslmode=require',
  '3D000': 'create it (createdb NAME, as a role that may), or correct the name at the end of the URL',
  '42501': 'the role lacks a privilege: make it the owner of the database, or have an administrator grant it',
  '42P01': 'the database is not migrated: run npm run db -- upgrade',
  '42703': 'the database is not migrated as far as this version: run npm run db -- upgrade',
  '53300': 'the server has no connection left: lower DATABASE_POOL_MAX, or put a pooler between',
  '57P03': 'the server is starting, or stopping: try again in a moment',
  ECONNREFUSED:
    'nothing listens there: start the server, or correct the URL; without a DATABASE_URL the embedded database is used',
  ENOTFOUND: 'there is no host of this name: correct the URL',
  EAI_AGAIN: 'the name of the host could not be looked up: correct the URL, or see to the network',
  ETIMEDOUT: 'the host does not answer: is it the right one, and does a firewall let this machine through?',
  EHOSTUNREACH: 'there is no way to this host: is it the right one?',
};

/**
 * What went wrong with a database and what to do about it, in two lines, for whoever gave the command; undefined where the database is not at fault.
 *
 * @param variable which variable named the database
 */
export function databaseHint(error: unknown, variable = 'DATABASE_URL'): string | undefined {
  if (!(error instanceof DatabaseUnavailable)) return undefined;
  const cause = firstCause(error.cause as Cause | undefined);
  if (!cause) return error.message;
  const { code = '' } = cause;
  const where = cause.address ? ` (${cause.address}:${cause.port})` : '';
  const isTls = /SSL|encryption|certificate/i.test(cause.message);
  const isSlow = /timeout/i.test(cause.message);
  const hint =
    hints[code] ??
    (isTls
      ? 'append ?sslmode=require to the URL where the server wants TLS, and leave it out where it has none'
      : undefined) ??
    (isSlow ? hints.ETIMEDOUT : undefined);
  return `${variable}: ${cause.message || code}${cause.message.includes(cause.address ?? '\0') ? '' : where}${hint ? `\nhint: ${hint}` : ''}`;
}

/** Where a name has several addresses, Node tried them all: the first says enough. */
function firstCause(cause: Cause | undefined): Cause | undefined {
  return cause?.errors?.length ? firstCause(cause.errors[0]) : cause;
}
