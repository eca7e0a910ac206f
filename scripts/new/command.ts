import { execFile } from 'node:child_process';

/** Runs a command and waits for it. @throws Error with its output if it fails */
export type Run = (
  command: string,
  args: string[],
  options?: { cwd?: string; env?: NodeJS.ProcessEnv },
) => Promise<void>;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls a function that changes files, and reverts the changes if it fails or this process is interrupted: by Ctrl-C, by a signal, or because its
 * terminal closes.
 *
 * A command that is running at Ctrl-C gets it too. It has ended before anything is reverted.
 */
export async function allOrNothing(change: (run: Run) => Promise<void>, revert: () => void): Promise<void> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  for (const signal of signals) process.on(signal, interrupt);
  try {
    await change(async (...call) => {
      await run(...call);
      if (interrupted) throw new Error('Interrupted.');
    });
  } catch (error) {
    revert();
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

const run: Run = (command, args, { cwd, env = {} } = {}) =>
  new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { ...(cwd && { cwd }), env: { ...process.env, ...env }, maxBuffer: Number.POSITIVE_INFINITY },
      (error, stdout, stderr) =>
        error ? reject(new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)) : resolve(),
    );
  });

/** Reports progress. */
export const step = (what: string): void => void process.stderr.write(`${what} …\n`);
