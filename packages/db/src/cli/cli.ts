import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, defaultDatabaseUrl } from '../connect.ts';
import type { Database } from '../database.ts';
import { check, revision } from '../migrate/drift.ts';
import * as migrations from '../migrate/migrate.ts';
import { schemaDocs } from '../migrate/schema-docs.ts';
import { secretOf } from '../secret.ts';
import { type CommandDefinition, runCommand, type Terminal, UsageError, withProgress } from './command.ts';
import { databaseHint } from './database-hint.ts';
import { pruneAuditEvents } from './retention.ts';
import { seed, seedEmail, seedPassword } from './seed.ts';

// Arguments in, text and an exit code out; every decision is in the functions that it calls.

/** A command of another package. An `Error` is reported by its message. */
export interface Command {
  /** Its line of the usage text, or lines. */
  usage: string;
  /** Resolves to the exit code. */
  run: (database: Database, terminal: Terminal) => Promise<number>;
}

const usageOf = (more: Record<string, Command>) => `Usage: npm run db -- COMMAND

  upgrade [--to NAME]          apply pending migrations (up to NAME)
  downgrade [--to NAME|base]   take back the last migration (or all after NAME, or all)
  current                      the last migration that was applied
  history                      every migration, and when it was applied
  revision -m "MESSAGE"        write a migration from the difference between the entities and the last migration
  check                        exit 1 and the difference, when database, migrations and entities do not agree
  seed [--users N]             an admin and N (10) users with tasks, for development: never in production
  prune-audit-events --before D
                               delete the audit events from before a date (2026-01-31); as the owner of the table
  docs [--check]               write docs/schema.md from the live schema (or exit 1 when it is stale)
${Object.values(more)
  .map(({ usage }) => `${usage}\n`)
  .join('')}
DATABASE_URL (or .env) says which database (DATABASE_DIRECT_URL, where that is a pooler); without it: ${defaultDatabaseUrl}.
Exit codes: 0 done, 1 failed or a difference found, 2 the command was not understood.

Example: npm run db -- revision -m "Add a due date to tasks"
`;

const docsFile = fileURLToPath(new URL('../../../../docs/schema.md', import.meta.url));

/**
 * The command line of the database.
 *
 * @param more commands besides those of this package
 * @param open opens the database; a test passes one that is open already
 */
export function dbCommand(more: Record<string, Command> = {}, open: typeof connect = connect): CommandDefinition {
  return {
    usage: usageOf(more),
    main: async (terminal) => {
      const { command, values } = readArguments(terminal.args);
      if (command === undefined) throw new UsageError('say which command');
      if (command === 'revision') return writeRevision(values.message, terminal);
      const run = commands[command] ?? more[command]?.run;
      if (!run) throw new UsageError(`there is no command ${command}`);
      const { env } = terminal;
      const url = secretOf(env, 'DATABASE_DIRECT_URL') ?? secretOf(env, 'DATABASE_URL') ?? defaultDatabaseUrl;
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
  try {
    const { positionals, values } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        message: { type: 'string', short: 'm' },
        users: { type: 'string', default: '10' },
        check: { type: 'boolean', default: false },
        before: { type: 'string' },
      },
    });
    if (positionals.length > 1) throw new Error(`one command at a time: ${positionals.join(' ')}`);
    const users = Number(values.users);
    if (!Number.isSafeInteger(users) || users < 0) throw new Error('--users takes a whole number');
    return { command: positionals[0], values: { ...values, users } };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const commands: Record<string, (database: Database, context: Context) => Promise<number>> = {
  upgrade: async (database, { values: { to }, stdout }) => {
    const applied = await withProgress('applying migrations', migrations.upgrade(database, { to }));
    stdout.write(
      applied.length > 0
        ? applied.map((name) => `applied ${name}\n`).join('')
        : 'nothing to apply: the database is up to date\n',
    );
    return 0;
  },
  downgrade: async (database, { values: { to }, stdout }) => {
    const reverted = await withProgress('taking migrations back', migrations.downgrade(database, { to }));
    stdout.write(
      reverted.length > 0 ? reverted.map((name) => `took back ${name}\n`).join('') : 'nothing to take back\n',
    );
    return 0;
  },
  current: async (database, { stdout }) => {
    stdout.write(`${(await migrations.current(database)) ?? 'base'}\n`);
    return 0;
  },
  history: async (database, { stdout }) => {
    for (const { name, appliedAt, isUnknown } of await migrations.history(database)) {
      stdout.write(
        `${appliedAt ? appliedAt.toISOString() : 'pending                 '}  ${name}${isUnknown ? '  (no such file)' : ''}\n`,
      );
    }
    return 0;
  },
  check: async (database, { stdout }) => {
    const differences = await withProgress('replaying the migrations in memory, to compare', check(database));
    stdout.write(differences.length > 0 ? `${differences.join('\n')}\n` : 'database, migrations and entities agree\n');
    return differences.length > 0 ? 1 : 0;
  },
  seed: async (database, { values: { users }, env, stdout, stderr }) => {
    if (env.NODE_ENV === 'production')
      throw new Error('seed makes accounts whose password everybody knows: not in production');
    await refusePending(database);
    const created = await seed(database, users, (done) => stderr.write(`${done} of ${users} users\n`));
    stdout.write(
      `${created} new accounts: admin@example.com, ${seedEmail(1)} to ${seedEmail(users)}; password: ${seedPassword}\n`,
    );
    return 0;
  },
  'prune-audit-events': async (database, { values: { before = '' }, stdout }) => {
    const moment = new Date(/^\d{4}-\d\d-\d\d$/.test(before) ? before : Number.NaN);
    if (Number.isNaN(moment.getTime())) throw new UsageError('--before takes a date such as 2026-01-31');
    const deleted = await withProgress('deleting audit events', pruneAuditEvents(database, moment));
    stdout.write(`deleted ${deleted} audit events from before ${before}\n`);
    return 0;
  },
  docs: async (database, { values, stdout }) => {
    await refusePending(database);
    const text = await schemaDocs(database);
    const isFresh = existsSync(docsFile) && (await readFile(docsFile, 'utf8')) === text;
    if (values.check) {
      stdout.write(isFresh ? 'docs/schema.md is up to date\n' : 'docs/schema.md is stale: run npm run db -- docs\n');
      return isFresh ? 0 : 1;
    }
    await writeFile(docsFile, text);
    stdout.write(isFresh ? 'docs/schema.md was up to date\n' : 'wrote docs/schema.md\n');
    return 0;
  },
};

async function writeRevision(message: string | undefined, { stdout }: Terminal): Promise<number> {
  if (message === undefined) throw new UsageError('revision needs a message: -m "Add a due date to tasks"');
  const written = await withProgress('replaying the migrations in memory, to compare', revision(message));
  if (!written) {
    stdout.write('nothing to write: the entities and the last migration agree\n');
    return 0;
  }
  stdout.write(`wrote ${written.path}: read it before you apply it\n`);
  for (const sql of written.renames)
    stdout.write(`it renames, which is a guess; make sure that it is not a removal and an addition: ${sql}\n`);
  for (const warning of written.locks) stdout.write(`look at docs/operations.md before you apply it: ${warning}\n`);
  return 0;
}

/** For what needs the schema as it is now. */
export async function refusePending(database: Database): Promise<void> {
  const pending = await migrations.pending(database);
  if (pending.length > 0) throw new Error(`${pending.length} migrations are pending: run npm run db -- upgrade first`);
}

if (import.meta.main) await runCommand(dbCommand());
