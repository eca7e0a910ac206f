import { readSecret } from '@quoin/db';

// Readers of environment variables. They collect mistakes instead of throwing, so that a start reports all of them at once.

/** Variables that can also be given as a file: `NAME_FILE` (Docker and Kubernetes secrets). */
const secrets = [
  'SECRET_KEY',
  'PREVIOUS_SECRET_KEYS',
  'JWT_PRIVATE_KEY',
  'JWT_PREVIOUS_KEYS',
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'DATABASE_REPLICA_URL',
  'REDIS_URL',
  'SMTP_URL',
  'EMBEDDING_API_KEY',
  'FIRST_ADMIN_PASSWORD',
];

/**
 * Returns the environment with the contents of the files that `NAME_FILE` variables name.
 *
 * @param more names of secrets of the product
 */
export function withSecrets(env: NodeJS.ProcessEnv, problems: string[], more: readonly string[]): NodeJS.ProcessEnv {
  const read = (name: string) => {
    try {
      return readSecret(env, name);
    } catch (error) {
      problems.push((error as Error).message);
      return undefined;
    }
  };
  const providerSecrets = Object.keys(env).flatMap(
    (name) => /^(OIDC_\w+_CLIENT_SECRET)(_FILE)?$/.exec(name)?.[1] ?? [],
  );
  return { ...env, ...Object.fromEntries([...secrets, ...providerSecrets, ...more].map((name) => [name, read(name)])) };
}

export type Readers = ReturnType<typeof createReaders>;

/** Returns one reader per type of variable. Each returns the value, or the default if the variable is empty or, with a problem noted, invalid. */
export function createReaders(env: NodeJS.ProcessEnv, problems: string[]) {
  const value = <T>(name: string, fallback: T, parseText: (text: string) => T | undefined, expected: string): T => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const parsed = parseText(text);
    if (parsed === undefined) problems.push(`${name} must be ${expected}${quoted(text)}`);
    return parsed ?? fallback;
  };
  const number = (name: string, fallback: number, { min, max }: { min: number; max: number }, isInteger = false) => {
    const parseText = (text: string) => {
      const parsed = text.trim() === '' ? Number.NaN : Number(text);
      return parsed >= min && parsed <= max && (!isInteger || Number.isInteger(parsed)) ? parsed : undefined;
    };
    return value(name, fallback, parseText, `${isInteger ? 'a whole number' : 'a number'} from ${min} to ${max}`);
  };
  return {
    isGiven: (name: string) => Boolean(env[name]),
    text: (name: string, fallback: string) => value(name, fallback, (text) => text, 'a text'),
    matching: (name: string, fallback: string, pattern: RegExp, expected: string) =>
      value(name, fallback, (text) => (pattern.test(text) ? text : undefined), expected),
    /** For values that can contain a password: the error message does not repeat them. */
    confidential: (name: string, fallback: string, pattern: RegExp, expected: string) => {
      const text = env[name];
      if (!text) return fallback;
      if (!pattern.test(text)) problems.push(`${name} must be ${expected}`);
      return text;
    },
    oneOf: <const T extends string>(name: string, allowed: readonly T[], fallback: T) =>
      value<T>(name, fallback, (text) => allowed.find((one) => one === text), allowed.join(', ')),
    boolean: (name: string, fallback: boolean) =>
      value(name, fallback, (text) => ({ true: true, false: false })[text], 'true or false'),
    number,
    integer: (name: string, fallback: number, range: { min: number; max: number }) =>
      number(name, fallback, range, true),
    list: (name: string, isValid: (item: string) => boolean, expected: string, fallback: string[] = []) =>
      value<string[]>(
        name,
        fallback,
        (text) => {
          const items = text.split(',').map((item) => item.trim());
          return items.every(isValid) ? items : undefined;
        },
        expected,
      ),
  };
}

/** Quotes a value in an error message, unless it looks like a URL, which can contain a password. */
export const quoted = (text: string) => (/:\/\/|@/.test(text) ? '' : `, not ${JSON.stringify(text)}`);
