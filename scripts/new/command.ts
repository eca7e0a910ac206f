import { execFileSync } from 'node:child_process';

/** Runs a command and waits for it. @throws Error with its output if it fails */
export function run(
  command: string,
  args: string[],
  { cwd, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): void {
  try {
    execFileSync(command, args, {
      ...(cwd && { cwd }),
      env: { ...process.env, ...env },
      stdio: 'pipe',
      encoding: 'utf8',
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** Reports progress. */
export const step = (what: string): void => void process.stderr.write(`${what} …\n`);
