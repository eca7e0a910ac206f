import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { connect, defaultDatabaseUrl } from '../connect.ts';
import type { Database } from '../database.ts';
import { check, revision } from '../migrate/drift.ts';
import * as migrations from '../migrate/migrate.ts';
import { schemaDocs, schemaDocsFile } from '../migrate/schema-docs.ts';
import { archiveAuditEvents, firstIncompleteMonth } from './archive.ts';
import { type CommandDefinition, runCommand, type Terminal, UsageError, withProgress } from './command.ts';
import { databaseHint } from './database-hint.ts';
import { distribute } from './distribute.ts';
import { readSecret } from './secret.ts';
import { seed, seedEmail, seedPassword } from './seed.ts';

// Parses arguments and prints results. The functions that it calls make the decisions.

/** A command of another package. Its `Error`s are reported by their messages. */
export interface Command {
  /** Its lines of the usage text. */
  usage: string;
  /** Resolves to the exit code. */
  run: (database: Database, terminal: Terminal) => Promise<number>;
}

const usageOf = (more: Record<string, Command>) => `Usage: npm run db -- COMMAND

  upgrade [--to NAME]          apply pending migrations (up to NAME)
  downgrade [--to NAME|base]   revert the last migration (or all after NAME, or all)
  current                      print the last applied migration
  history                      list all migrations, and when they were applied
  revision -m "MESSAGE"        write a migration from the difference between the entities and the last migration
  check                        exit with 1 and print the difference if database, migrations and entities do not agree
  types [--check]              write Kysely's table types from the migrations (or exit with 1 if they are stale)
  generate [-m "MESSAGE"]      types and docs at once, from a replay in memory, and with a message first a revision
  docs [--check]               write docs/schema.md from the database (or exit with 1 if it is stale)
  seed [--users N]             create an admin and N (10) users with tasks, for development only
  archive --directory DIR [--before 2026-01]
                               write each complete month of the audit trail (before this one) to a file, unless the file exists
  distribute                   spread the rows of users over the servers of a Citus cluster (docs/scaling.md)
${Object.values(more)
  .map(({ usage }) => `${usage}\n`)
  .join('')}
Uses DATABASE_DIRECT_URL, or else DATABASE_URL, from the environment or .env. Default: ${defaultDatabaseUrl}.
Exit codes: 0 success, 1 failure or difference, 2 wrong usage.

Example: npm run db -- revision -m "Add a due date to tasks"
`;

/**
 * Returns the command line of the database.
 *
 * @param more commands of other packages
 * @param open opens the database
 */
export function dbCommand(more: Record<string, Command> = {}, open: typeof connect = connect): CommandDefinition {
  return {
    usage: usageOf(more),
    main: async (terminal) => {
      const { command, values } = readArguments(terminal.args);
      if (command === undefined) throw new UsageError('a command is missing');
      const offline = offlineCommands[command];
      if (offline) return offline({ ...terminal, values });
      const run = commands[command] ?? more[command]?.run;
      if (!run) throw new UsageError(`unknown command: ${command}`);
      const { env } = terminal;
      const url = readSecret(env, 'DATABASE_DIRECT_URL') ?? readSecret(env, 'DATABASE_URL') ?? defaultDatabaseUrl;
      const database = await withProgress('opening the database', open(url));
      try {
        return await run(database, { ...terminal, values });
      } finally {
        await database.close();
      }
    },
    explain: (error) => databaseHint(error, process.env.DATABASE_DIRECT_URL ? 'DATABASE_DIRECT_URL' : 'DATABASE_URL'),
  };
}

type Context = Terminal & { values: ReturnType<typeof readArguments>['values'] };

function readArguments(args: string[]) {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      message: { type: 'string', short: 'm' },
      users: { type: 'string', default: '10' },
      check: { type: 'boolean', default: false },
      before: { type: 'string' },
      directory: { type: 'string' },
    },
  });
  if (positionals.length > 1) throw new UsageError(`more than one command: ${positionals.join(' ')}`);
  const users = Number(values.users);
  if (!Number.isSafeInteger(users) || users < 0) throw new UsageError('--users must be a whole number');
  return { command: positionals[0], values: { ...values, users } };
}

const commands: Record<string, (database: Database, context: Context) => Promise<number>> = {
  upgrade: async (database, { values: { to }, stdout }) => {
    const applied = await withProgress('applying migrations', migrations.upgrade(database, { to }));
    stdout.write(
      applied.map((name) => `applied ${name}\n`).join('') || 'nothing to apply: the database is up to date\n',
    );
    return 0;
  },
  downgrade: async (database, { values: { to }, stdout }) => {
    const reverted = await withProgress('reverting migrations', migrations.downgrade(database, { to }));
    stdout.write(reverted.map((name) => `reverted ${name}\n`).join('') || 'nothing to revert\n');
    return 0;
  },
  current: async (database, { stdout }) => {
    stdout.write(`${(await migrations.current(database)) ?? 'base'}\n`);
    return 0;
  },
  history: async (database, { stdout }) => {
    const pending = 'pending'.padEnd(new Date().toISOString().length);
    for (const { name, checksum, applied } of await migrations.history(database)) {
      const note = checksum === undefined ? '  (files are missing)' : '';
      stdout.write(`${applied?.at.toISOString() ?? pending}  ${name}${note}\n`);
    }
    return 0;
  },
  check: async (database, { stdout }) => {
    const differences = await withProgress('replaying the migrations in memory', check(database));
    stdout.write(differences.length > 0 ? `${differences.join('\n')}\n` : 'database, migrations and entities agree\n');
    return differences.length > 0 ? 1 : 0;
  },
  docs: async (database, { values, stdout }) => {
    await refusePending(database);
    const text = await schemaDocs(database);
    const isStale = !existsSync(schemaDocsFile) || (await readFile(schemaDocsFile, 'utf8')) !== text;
    if (isStale && !values.check) await writeFile(schemaDocsFile, text);
    return reportGenerated({ file: 'docs/schema.md', command: 'docs', isStale, isCheck: values.check, stdout });
  },
  seed: async (database, { values: { users }, env, stdout, stderr }) => {
    if (env.NODE_ENV === 'production')
      throw new Error('seed creates accounts with a public password: it does not run in production');
    await refusePending(database);
    const created = await seed(database, users, (done) => stderr.write(`${done} of ${users} users\n`));
    stdout.write(
      `${created} new accounts: admin@example.com, ${seedEmail(1)} to ${seedEmail(users)}; password: ${seedPassword}\n`,
    );
    return 0;
  },
  archive: async (database, { values: { directory, before }, stdout }) => {
    if (!directory) throw new UsageError('--directory is missing: where to write the files');
    const incomplete = firstIncompleteMonth(new Date());
    const month = before === undefined ? incomplete : new Date(/^\d{4}-\d\d$/.test(before) ? before : Number.NaN);
    if (Number.isNaN(month.getTime())) throw new UsageError('--before must be a month such as 2026-01');
    const end = month < incomplete ? month : incomplete;
    const files = await withProgress('writing audit events', archiveAuditEvents(database, directory, end));
    stdout.write(
      files.map((file) => `wrote ${file}\n`).join('') || 'nothing to write: every complete month has its file\n',
    );
    return 0;
  },
  distribute: async (database, { stdout }) => {
    await refusePending(database);
    const names = await withProgress('distributing the tables', distribute(database));
    stdout.write(names.map((name) => `distributed ${name} by user_id\n`).join('') || 'nothing to distribute\n');
    return 0;
  },
};

/** Commands without a database: they replay the migrations in memory. */
const offlineCommands: Record<string, (context: Context) => Promise<number>> = {
  revision: async ({ values: { message }, stdout }) => {
    if (message === undefined) throw new UsageError('a message is missing: -m "Add a due date to tasks"');
    const written = await withProgress('replaying the migrations in memory', revision(message));
    if (!written) {
      stdout.write('nothing to write: the entities and the last migration agree\n');
      return 0;
    }
    const { updateTableTypes } = await import('../migrate/table-types.ts');
    await updateTableTypes({ isCheck: false });
    stdout.write(`wrote ${written.path} and its .down.sql: read them before you apply them\n`);
    for (const sql of written.renames) stdout.write(`check this: it renames, which is a guess: ${sql}\n`);
    for (const warning of written.locks) stdout.write(`check this (docs/operations.md says how): ${warning}\n`);
    return 0;
  },
  generate: async ({ values: { message }, stdout }) => {
    const { generate } = await import('../migrate/generate.ts');
    const { revision: written, changed } = await withProgress('replaying the migrations in memory', generate(message));
    for (const file of [...(written ? [written.path] : []), ...changed]) stdout.write(`wrote ${file}\n`);
    return 0;
  },
  types: async ({ values, stdout }) => {
    const { updateTableTypes } = await import('../migrate/table-types.ts');
    const isStale = await withProgress(
      'replaying the migrations in memory',
      updateTableTypes({ isCheck: values.check }),
    );
    const file = 'packages/db/src/schema/tables.ts';
    return reportGenerated({ file, command: 'types', isStale, isCheck: values.check, stdout });
  },
};

function reportGenerated({
  file,
  command,
  isStale,
  isCheck,
  stdout,
}: {
  file: string;
  command: string;
  isStale: boolean;
  isCheck: boolean;
  stdout: Terminal['stdout'];
}): number {
  if (!isStale) stdout.write(`${file} is up to date\n`);
  else stdout.write(isCheck ? `${file} is stale: run npm run db -- ${command}\n` : `wrote ${file}\n`);
  return isStale && isCheck ? 1 : 0;
}

/** @throws Error if migrations are pending */
export async function refusePending(database: Database): Promise<void> {
  const pending = await migrations.pending(database);
  if (pending.length > 0) throw new Error(`${pending.length} migrations are pending: run npm run db -- upgrade first`);
}

if (import.meta.main) await runCommand(dbCommand());
