import { existsSync } from 'node:fs';
import { styleText } from 'node:util';
import { databaseHint } from './database-hint.ts';
import { MigrationError } from './migrate.ts';

// How a command behaves in a terminal: its help, its exit code, what it says when it fails, and while it takes its time.

/** The command was not understood: exit code 2, and the usage. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const progressAfterMs = 1_000;
/** As a shell reports a process that ended by SIGPIPE. */
const readerGone = 141;

/**
 * Runs a command to its end and sets the exit code: what `main` resolves to, 1 where it throws, 2 for a `UsageError`. A mistake of the one
 * who gave the command is a sentence, and a hint where there is one; anything else is a bug, and keeps its stack. Reads `.env`.
 *
 * @param usage is printed for --help, and after a UsageError; ends with an example
 * @param explain the sentence for an error that this package does not know; undefined for a bug
 */
export async function runCommand(
  usage: string,
  main: () => Promise<number>,
  explain: (error: Error) => string | undefined = () => undefined,
): Promise<void> {
  // Whoever reads, such as `head`, has had enough: no more is written, and that is no failure to tell of.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(readerGone);
  });
  if (existsSync('.env')) process.loadEnvFile('.env');
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(usage);
    return;
  }
  try {
    process.exitCode = await main();
  } catch (thrown) {
    const error = thrown as Error;
    const isUsage = error instanceof UsageError;
    fail(explain(error) ?? sentence(error) ?? error.stack ?? error.message);
    if (isUsage) process.stderr.write(`\n${usage}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** Tells a person, on standard error, what failed: the first line in red, where that is a terminal that has colours (NO_COLOR). */
export function fail(message: string): void {
  const [first = '', ...rest] = message.trimEnd().split('\n');
  const more = rest.map((line) => (line.startsWith('hint:') ? colour('yellow', line, process.stderr) : line));
  process.stderr.write(`${[colour('red', first, process.stderr), ...more].join('\n')}\n`);
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
