import { readFileSync } from 'node:fs';

/**
 * Returns a secret from the environment: the value of `name`, or the content of the file that `name`_FILE names, as orchestrators mount it, without a
 * trailing line break. Undefined if it is empty.
 *
 * @throws Error that does not contain the secret
 */
export function readSecret(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name] || undefined;
  if (env[name]) throw new Error(`${name} and ${name}_FILE are both set: remove one of them`);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    throw new Error(`${name}_FILE: ${(error as Error).message}`);
  }
}
