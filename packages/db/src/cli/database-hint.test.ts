import { expect, test } from 'vitest';
import { DatabaseUnavailable } from '../errors.ts';
import { databaseHint } from './database-hint.ts';

const hintOf = (message: string, code: string) =>
  databaseHint(
    new DatabaseUnavailable('no database connection', { cause: Object.assign(new Error(message), { code }) }),
  );

test.each([
  // What PgBouncer 1.18 answers to the time limits that Quoin sends with prepared statements.
  ['unsupported startup parameter: statement_timeout', '08P01', 'DATABASE_PREPARE=false'],
  ['prepared statement "q3" does not exist', '26000', 'DATABASE_PREPARE=false'],
  ['the server does not accept read-write sessions', '25006', 'is a standby or read-only'],
  ['timeout expired', '', 'firewall'],
])('the hint for "%s" names the cause', (message, code, hint) => {
  expect(hintOf(message, code)).toContain(hint);
});
