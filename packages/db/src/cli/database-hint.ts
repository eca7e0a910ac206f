import { DatabaseUnavailable } from '../errors.ts';

type Cause = Error & { code?: string; address?: string; port?: number; hostname?: string; errors?: Cause[] };

/** What to do, by SQLSTATE or by Node's error code. */
const hints: Record<string, string> = {
  '25006':
    'the server is a standby or read-only: name the primary, or all servers (postgres://…@one:5432,two:5432/database)',
  '28P01': 'check the user and the password in the URL; percent-encode characters such as @ / :',
  '28000':
    'the user does not exist, or pg_hba.conf does not admit it from here, or only with TLS: append ?sslmode=require',
  '3D000': 'create the database (createdb NAME), or correct the name at the end of the URL',
  '42501': 'the role lacks a privilege: make it the owner of the database, or ask an administrator to grant it',
  '42P01': 'the database is not migrated: run npm run db -- upgrade',
  '42703': 'migrations are pending: run npm run db -- upgrade',
  '53300': 'the server has no free connection: lower DATABASE_POOL_MAX, or use a pooler',
  '57P03': 'the server is starting or stopping: try again in a moment',
  ECONNREFUSED:
    'no server listens at this address: start it, or correct the URL; without DATABASE_URL the embedded database is used',
  ENOTFOUND: 'the host is unknown: correct the URL',
  EAI_AGAIN: 'the host name could not be resolved: correct the URL, or check the network',
  ETIMEDOUT: 'the host does not answer: check the host, and that a firewall does not block this machine',
  EHOSTUNREACH: 'the host is unreachable: check the URL and the network',
};

/**
 * Returns what went wrong with a database and what to do about it, in two lines; undefined for other errors.
 *
 * @param variable the variable that contains the URL
 */
export function databaseHint(error: unknown, variable = 'DATABASE_URL'): string | undefined {
  if (!(error instanceof DatabaseUnavailable)) return undefined;
  const cause = firstCause(error.cause as Cause | undefined);
  if (!cause) return error.message;
  const { code = '', message, address, port } = cause;
  const hint =
    (/unsupported startup parameter|prepared statement \S+ (does not exist|already exists)/.test(message)
      ? 'the URL leads to a pooler: set DATABASE_PREPARE=false, and DATABASE_DIRECT_URL to the server itself'
      : undefined) ??
    hints[code] ??
    (/SSL|encryption|certificate/i.test(message)
      ? 'append ?sslmode=require to the URL if the server requires TLS, and remove it if the server has none'
      : undefined) ??
    (/timeout/i.test(message) ? hints.ETIMEDOUT : undefined);
  const where = address && !message.includes(address) ? ` (${address}:${port})` : '';
  return `${variable}: ${message || code}${where}${hint ? `\nhint: ${hint}` : ''}`;
}

/** If a name has several addresses, Node tries all of them. The first error is enough. */
function firstCause(cause: Cause | undefined): Cause | undefined {
  return cause?.errors?.length ? firstCause(cause.errors[0]) : cause;
}
