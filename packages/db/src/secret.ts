import { readFileSync } from 'node:fs';

/**
 * A secret from the environment: what `name` holds, or what is in the file that `name`_FILE names, as orchestrators mount them. An empty
 * one is none. The line break at the end of a file does not count.
 *
 * @throws Error that says what is wrong, without repeating the secret
 */
export function secretOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name] || undefined;
  if (env[name]) throw new Error(`${name} and ${name}_FILE are both set: one of them is too many`);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    throw new Error(`${name}_FILE: ${(error as Error).message}`);
  }
}
