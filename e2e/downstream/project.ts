import { execFile } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** An empty directory, and commands in it. */
export function newProject() {
  const path = mkdtempSync(join(tmpdir(), 'quoin-downstream-'));
  return {
    path,
    run: (command: string, ...args: string[]) => runIn(path, command, args),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Resolves to what the command said. @throws Error with that, where it ends with another code than 0 */
export function runIn(cwd: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  // Where packages come from is said there too; which database, and that this is a test, is not for the command.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(TEST_|DATABASE_|VITEST|NODE_ENV$|npm_(package|lifecycle))/.test(name),
  );
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { cwd, env: { ...Object.fromEntries(inherited), ...env }, maxBuffer: 2 ** 26, timeout: 900_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${command} ${args.join(' ')}:\n${stdout}${stderr}`, { cause: error }));
        else resolve(stdout);
      },
    );
  });
}

/** This repository as it would be committed now, in a directory of its own, with everything installed. */
export async function copyOfRepository() {
  const project = newProject();
  const files = (await runIn(root, 'git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])).split(
    '\0',
  );
  for (const file of files.filter((one) => one && existsSync(join(root, one))))
    cpSync(join(root, file), join(project.path, file));
  await project.run('git', 'init', '--quiet');
  await project.run('git', 'add', '--all');
  for (const modules of ['node_modules', ...globSync('{packages,apps}/*/node_modules', { cwd: root })]) {
    const [from, to] = [join(root, modules), join(project.path, modules)];
    // Links cost nothing, where the two are on one disk.
    await runIn(root, 'cp', ['-al', from, to]).catch(() =>
      cpSync(from, to, { recursive: true, verbatimSymlinks: true }),
    );
  }
  return project;
}
