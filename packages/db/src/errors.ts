/** The database cannot be used now. The same call may succeed later. The cause is for the log only. */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable';
}

/** The server canceled a statement that exceeded `statement_timeout`. The database works; the statement is too expensive. */
export class StatementTimeout extends Error {
  override name = 'StatementTimeout';
}

/**
 * The connection was lost before the commit, or PostgreSQL refused or rolled back the work so that nothing of it took effect. The work can be
 * repeated on another connection.
 */
export class ConnectionLostBeforeCommit extends DatabaseUnavailable {
  constructor(cause: unknown) {
    super('the connection was lost before the commit', { cause });
  }
}

/** The connection was lost during the commit, or during a write that is a transaction by itself. The outcome is unknown, so nothing repeats it. */
export class ConnectionLostDuringCommit extends DatabaseUnavailable {
  constructor(cause: unknown) {
    super('the connection was lost during the commit', { cause });
  }
}

/** Another request with the same Idempotency-Key has committed its answer. This one had no effect. */
export class AlreadyAnswered extends Error {
  override name = 'AlreadyAnswered';
  constructor(cause: unknown) {
    super('another request with the same Idempotency-Key was answered', { cause });
  }
}

// SQLSTATEs: https://www.postgresql.org/docs/17/errcodes-appendix.html

/** The connection is gone or was refused. */
const lostStates = /^(08|57P0[1-5]|53300|25P0[34])/;
/** Out of resources, locked, read-only, not migrated, or refused: not the statement's fault. */
const unavailableStates = /^(53|55P03|25006|40001|40P01|42P01|42703|28|3D000|58)/;
/** Node's codes for a connection that could not be made or broke. */
const lostCodes = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ENETDOWN)/;
/** Errors of `pg` and `pg-pool` without a code. */
const lostMessages =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout exceeded when trying to connect|timeout expired)/;

const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
};

/** Whether the connection broke, so that uncommitted work had no effect. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.some(isConnectionLost)) return true;
  const code = codeOf(error);
  return code === '' ? lostMessages.test(error.message) : lostStates.test(code) || lostCodes.test(code);
}

/**
 * Whether this connection cannot execute a prepared statement any more: a migration changed its result columns, or its preparation failed for a statement
 * before this one. The server did not execute it.
 */
export function isPreparedStatementStale(error: unknown): boolean {
  if (codeOf(error) === '26000') return true;
  return codeOf(error) === '0A000' && /cached plan must not change result type/.test((error as Error).message);
}

/** Whether the server has become read-only: it was the primary, and another server is now. The statement had no effect. */
export function isServerReadOnly(error: unknown): boolean {
  return codeOf(error) === '25006';
}

/** Whether PostgreSQL rolled the transaction back so that another one could continue: a deadlock or a serialization failure. */
export function isRolledBackForAnother(error: unknown): boolean {
  return ['40P01', '40001'].includes(codeOf(error));
}

/** Whether a statement waited for a lock longer than `lock_timeout`. It had no effect. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseUnavailable && codeOf(error.cause) === '55P03';
}

/** Returns the error for the caller: `AlreadyAnswered`, `DatabaseUnavailable`, `StatementTimeout`, or the error itself. */
export function toPublicError(error: unknown): unknown {
  if (violatedConstraint(error) === 'idempotency_keys_pkey') return new AlreadyAnswered(error);
  const code = codeOf(error);
  if (code === '57014') return new StatementTimeout('the statement took too long', { cause: error });
  return unavailableStates.test(code) || isConnectionLost(error)
    ? new DatabaseUnavailable('the database is not available', { cause: error })
    : error;
}

/**
 * Returns the name of the constraint or unique index that a statement violated, such as `idx_users_email`; undefined for other errors. Goes by the
 * SQLSTATE, because the embedded database throws errors of another class. Citus appends the number of a shard to the name, and can leave the field out.
 */
export function violatedConstraint(error: unknown): string | undefined {
  if (!codeOf(error).startsWith('23')) return undefined;
  const { constraint, message } = error as { constraint?: unknown; message?: unknown };
  const name = typeof constraint === 'string' ? constraint : /constraint "(\w+)"/.exec(String(message))?.[1];
  return name?.replace(/_\d{6,}$/, '');
}

/** Whether a row level security policy, or a missing privilege, refused a statement. */
export const isRefusedByPolicy = (error: unknown): boolean => codeOf(error) === '42501';

/** Whether a statement was refused because of rows that refer to each other. */
export const isReferenceViolation = (error: unknown): boolean => codeOf(error) === '23503';

/** Whether a text is no value of the type that a statement converts it to. */
export const isInvalidValue = (error: unknown): boolean => /^22/.test(codeOf(error));
