/** The database cannot be asked now; the same call may well succeed later. The cause says why, and is for the log only. */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable';
}

/** The server canceled a statement that took too long (`statement_timeout`). The database works; the statement asked for too much. */
export class StatementTimeout extends Error {
  override name = 'StatementTimeout';
}

/** SQLSTATEs after which the connection is gone or was never made, so that nothing that was not committed has happened. */
const lostStates = /^(08|57P0[1-5]|53300|25P0[34])/;
/** SQLSTATEs that are no fault of the statement: out of resources, locked, read-only, not migrated, refused. */
const busyStates = /^(53|55P03|25006|40001|40P01|42P01|42703|28|3D000|58)/;
/** Node's codes for a connection that could not be made or broke. */
const lostCodes = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ENETDOWN)/;
/** What `pg` and `pg-pool` say without any code. */
const lostMessages =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout exceeded when trying to connect|timeout expired)/;

/** Whether the connection broke: what was not committed has not happened and can be tried again on another one. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.some(isConnectionLost)) return true;
  const { code } = error as Error & { code?: unknown };
  if (typeof code === 'string') return lostStates.test(code) || lostCodes.test(code);
  return lostMessages.test(error.message);
}

/** Whether PostgreSQL rolled the transaction back so that another one could go on. */
export function isDeadlockVictim(error: unknown): boolean {
  return ['40P01', '40001'].includes((error as { code?: string } | undefined)?.code ?? '');
}

/** Returns the error as the caller sees it: `DatabaseUnavailable`, `StatementTimeout`, or the error itself. */
export function explain(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  if (code === '57014') return new StatementTimeout('the statement took too long', { cause: error });
  const isBusy = typeof code === 'string' && busyStates.test(code);
  return isBusy || isConnectionLost(error)
    ? new DatabaseUnavailable('the database is not available', { cause: error })
    : error;
}
