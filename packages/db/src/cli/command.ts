import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { MigrationError } from '../migrate/migrate.ts';
import { databaseHint } from './database-hint.ts';

// How a command behaves in a terminal: its help, its exit code, what it says when it fails, and while it takes its time.

/** The command was not understood: exit code 2, and the usage. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const progressAfterMs = 1_000;
/** As a shell reports a process that ended by SIGPIPE. */
const readerGone = 141;

/** What a command reads and writes: a process has one, and so has a test that runs a command without a process. */
export interface Terminal {
  /** Without the name of the program. */
  args: string[];
  env: NodeJS.ProcessEnv;
  stdin: Readable & { isTTY?: boolean };
  stdout: Pick<NodeJS.WriteStream, 'write'>;
  stderr: Pick<NodeJS.WriteStream, 'write'>;
}

export interface CommandDefinition {
  /** Printed for --help and after a `UsageError`. Ends with an example. */
  usage: string;
  /** Resolves to the exit code. */
  main: (terminal: Terminal) => Promise<number>;
  /** The sentence for an error that this package does not know; undefined for a bug. */
  explain?: (error: Error) => string | undefined;
}

/**
 * Runs a command and resolves to its exit code: what `main` resolves to, 1 if it throws, 2 for a `UsageError`. A user's mistake is reported
 * as a sentence, with a hint if there is one. Any other error is a bug and keeps its stack.
 */
export async function executeCommand(
  { usage, main, explain = () => undefined }: CommandDefinition,
  terminal: Terminal,
): Promise<number> {
  if (terminal.args.includes('--help') || terminal.args.includes('-h')) {
    terminal.stdout.write(usage);
    return 0;
  }
  try {
    return await main(terminal);
  } catch (thrown) {
    const error = thrown as Error;
    const isUsage = error instanceof UsageError;
    fail(explain(error) ?? sentence(error) ?? error.stack ?? error.message, terminal.stderr);
    if (isUsage) terminal.stderr.write(`\n${usage}`);
    return isUsage ? 2 : 1;
  }
}

/** Runs a command as this process: reads `.env`, and sets the exit code. */
export async function runCommand(definition: CommandDefinition): Promise<void> {
  // The reader, such as `head`, has closed the pipe: stop without an error message.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(readerGone);
  });
  if (existsSync('.env')) process.loadEnvFile('.env');
  const { env, stdin, stdout, stderr } = process;
  process.exitCode = await executeCommand(definition, { args: process.argv.slice(2), env, stdin, stdout, stderr });
}

/** Prints what failed to standard error, the first line in red if that is a terminal with colours (NO_COLOR turns them off). */
export function fail(message: string, stderr: Terminal['stderr'] = process.stderr): void {
  const [first = '', ...rest] = message.trimEnd().split('\n');
  const more = rest.map((line) => (line.startsWith('hint:') ? colour('yellow', line, process.stderr) : line));
  stderr.write(`${[colour('red', first, process.stderr), ...more].join('\n')}\n`);
}

/** The text in a colour, where the stream is a terminal that has colours. */
export const colour = (name: 'red' | 'green' | 'yellow', text: string, stream: NodeJS.WriteStream = process.stdout) =>
  styleText(name, text, { stream });

/** Waits for the work, and says what it is to whoever waits at a terminal for more than a second. */
export async function withProgress<T>(what: string, work: Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work;
  const timer = setTimeout(() => process.stderr.write(`${what} …\n`), progressAfterMs);
  return work.finally(() => clearTimeout(timer));
}

/** What to tell a person about an error that is no bug; undefined for a bug. */
export function sentence(error: Error): string | undefined {
  const isForPeople = error instanceof UsageError || error instanceof MigrationError || error.constructor === Error;
  return databaseHint(error) ?? (isForPeople ? error.message : undefined);
}
