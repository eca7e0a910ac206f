import { setTimeout } from 'node:timers/promises';
import type { Connection } from '../connection.ts';
import { MigrationError } from './files.ts';

/** One direction of a migration. */
export interface Step {
  name: string;
  statements: string;
  /** The statement that records the step in `schema_migrations`. */
  record: string;
}

/**
 * Marks a file whose statements PostgreSQL refuses to run in a transaction, such as `create index concurrently`. A line with `\gexec` after a query runs each row of
 * its result as a statement, as in psql: for indexes of partitions, whose names depend on the month.
 */
const withoutTransactionMark = /^-- transaction: none$/m;

const tableLockWait = '2s';
const retryDelayMs = 500;
const retriesMax = 50;
const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';

/** Runs a step and records it. @throws MigrationError with the message and the hint of the server */
export async function applyStep(connection: Connection, step: Step): Promise<void> {
  try {
    const run = withoutTransactionMark.test(step.statements) ? withoutTransaction : inTransaction;
    await run(connection, step);
  } catch (cause) {
    const { message, hint } = cause as Error & { hint?: string };
    throw new MigrationError(`${step.name}: ${message}${hint ? `\n${hint}` : ''}`, { cause });
  }
}

/**
 * A statement that waits for a table lock blocks later statements on that table. So a migration uses a short lock timeout, lets the others run, and
 * retries, also after a deadlock. Nothing remains of a failed attempt.
 */
async function inTransaction(connection: Connection, { statements, record }: Step): Promise<void> {
  for (let retriesLeft = retriesMax; ; retriesLeft--) {
    try {
      await connection.execute(
        `begin;\nset local lock_timeout = '${tableLockWait}';\n${statements};\n${record};\ncommit;`,
      );
      return;
    } catch (error) {
      await connection.execute('rollback');
      const { code = '' } = error as { code?: string };
      if (![lockNotAvailable, deadlockDetected].includes(code) || retriesLeft === 0) throw error;
      await setTimeout(retryDelayMs);
    }
  }
}

/**
 * A failed `create index concurrently` leaves an invalid index behind, and a second attempt fails because the name exists. So there is no
 * retry, and invalid indexes of these names are dropped before and after.
 */
async function withoutTransaction(connection: Connection, { statements, record }: Step): Promise<void> {
  await dropInvalidIndexes(connection, statements);
  try {
    const parts = statements.split(/^\\gexec$/m);
    for (const [index, part] of parts.entries()) {
      if (!part.replace(/--.*$/gm, '').trim()) continue;
      const results = await connection.execute<Record<string, string>>(part);
      const isGenerator = index < parts.length - 1;
      for (const row of (isGenerator && results.at(-1)?.rows) || [])
        for (const statement of Object.values(row)) await connection.execute(statement);
    }
  } catch (error) {
    // The first error is the one to report.
    await dropInvalidIndexes(connection, statements).catch(() => {});
    throw error;
  }
  await connection.execute(record);
}

async function dropInvalidIndexes(connection: Connection, statements: string): Promise<void> {
  const created = statements.matchAll(/\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?\s+on\b/gi);
  for (const [, name = ''] of created) {
    const { rows } = await connection.query(
      'select from pg_index where indexrelid = to_regclass(quote_ident($1)) and not indisvalid',
      [name],
    );
    if (rows.length > 0) await connection.execute(`drop index concurrently if exists "${name}"`);
  }
}
