import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { MigrationError } from '../migrate/files.ts';
import { databaseHint } from './database-hint.ts';

// What all commands share: help, exit codes, error messages, progress.

/** The command line is wrong: exit code 2, and the usage text. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const progressAfterMs = 1_000;
/** Exit code of a process that ended by SIGPIPE, as a shell reports it. */
const brokenPipe = 141;

/** Input and output of a command. A test that runs a command in its own process passes its own. */
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
  /** Returns the message for an error that this package does not know; undefined for a bug. */
  explain?: (error: Error) => string | undefined;
}

/**
 * Runs a command and resolves to its exit code: what `main` resolves to, 1 if it throws, 2 for a `UsageError`. Reports a mistake of the user as a sentence, with
 * a hint if there is one. Any other error is a bug and keeps its stack.
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
    const isUsage = isUsageError(error);
    fail(explain(error) ?? messageFor(error) ?? error.stack ?? error.message, terminal.stderr);
    if (isUsage) terminal.stderr.write(`\n${usage}`);
    return isUsage ? 2 : 1;
  }
}

/** Runs a command as this process: reads `.env` and sets the exit code. */
export async function runCommand(definition: CommandDefinition): Promise<void> {
  // A reader such as `head` has closed the pipe: stop without an error message.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(brokenPipe);
  });
  if (existsSync('.env')) process.loadEnvFile('.env');
  const { env, stdin, stdout, stderr } = process;
  process.exitCode = await executeCommand(definition, { args: process.argv.slice(2), env, stdin, stdout, stderr });
}

/** Prints an error message to standard error. Its first line is red if the terminal has colours and NO_COLOR is not set. */
export function fail(message: string, stderr: Terminal['stderr'] = process.stderr): void {
  const [first = '', ...rest] = message.trimEnd().split('\n');
  const more = rest.map((line) => (line.startsWith('hint:') ? colour('yellow', line, process.stderr) : line));
  stderr.write(`${[colour('red', first, process.stderr), ...more].join('\n')}\n`);
}

/** Colours a text if the stream is a terminal with colours. */
export const colour = (name: 'red' | 'green' | 'yellow', text: string, stream: NodeJS.WriteStream = process.stdout) =>
  styleText(name, text, { stream });

/** Waits for the work. At a terminal, prints what it is if it takes longer than a second. */
export async function withProgress<T>(what: string, work: Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work;
  const timer = setTimeout(() => process.stderr.write(`${what} …\n`), progressAfterMs);
  return work.finally(() => clearTimeout(timer));
}

/** Returns the message for a mistake of the user or an unavailable database; undefined for a bug. */
export function messageFor(error: Error): string | undefined {
  const isMistake = isUsageError(error) || error instanceof MigrationError || error.constructor === Error;
  return databaseHint(error) ?? (isMistake ? error.message : undefined);
}

/** A `UsageError`, or an error of `parseArgs` from `node:util`. */
const isUsageError = (error: Error & { code?: string }) =>
  error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS_') === true;
