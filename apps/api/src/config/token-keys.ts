import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readSigningKey, readVerificationKey, type VerificationKey } from './signing-key.ts';

// The keys of access tokens: SECRET_KEY for HS256, JWT_PRIVATE_KEY and JWT_PREVIOUS_KEYS for EdDSA and ES256.

const secretBytesMin = 32;
const generateHint = 'generate one with `openssl rand -base64 48`';
const secretFile = '.data/secret-key';

/** Returns SECRET_KEY. Production requires it; elsewhere the first start generates one and keeps it. A weak one is always refused. */
export function secretKey(given: string | undefined, environment: string, problems: string[]): string {
  if (given) {
    if (Buffer.byteLength(given) < secretBytesMin)
      problems.push(`SECRET_KEY must have at least ${secretBytesMin} bytes: ${generateHint}`);
    else if (new Set(given).size < 10) problems.push(`SECRET_KEY is too easy to guess: ${generateHint}`);
    return given;
  }
  if (environment === 'production') {
    problems.push(`SECRET_KEY is required in production: ${generateHint}`);
    return '';
  }
  if (existsSync(secretFile)) return readFileSync(secretFile, 'utf8').trim();
  const made = randomBytes(32).toString('base64url');
  mkdirSync('.data', { recursive: true, mode: 0o700 });
  try {
    writeFileSync(secretFile, `${made}\n`, { mode: 0o600, flag: 'wx' });
    return made;
  } catch {
    return readFileSync(secretFile, 'utf8').trim(); // another process wrote it first
  }
}

/** Earlier values of SECRET_KEY, which still decrypt stored secrets. */
export function previousSecretKeys(text: string | undefined, problems: string[]): string[] {
  const keys = (text ?? '').split(',').filter((key) => key !== '');
  if (keys.some((key) => Buffer.byteLength(key) < secretBytesMin))
    problems.push(`PREVIOUS_SECRET_KEYS must be keys of at least ${secretBytesMin} bytes, separated by commas`);
  return keys;
}

/** Returns the key that signs access tokens and the previous keys that still verify them. HS256 uses SECRET_KEY instead. */
export function signingKeys(env: NodeJS.ProcessEnv, algorithm: string, problems: string[]) {
  const none = { signingKey: undefined, previousKeys: [] as VerificationKey[] };
  const tried = <T>(name: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`${name} ${(error as Error).message}`);
      return undefined;
    }
  };
  const given = env.JWT_PRIVATE_KEY;
  const previous = env.JWT_PREVIOUS_KEYS;
  if (algorithm === 'HS256') {
    if (given || previous) problems.push('JWT_PRIVATE_KEY and JWT_PREVIOUS_KEYS need JWT_ALGORITHM=EdDSA or ES256');
    return none;
  }
  if (!given) {
    problems.push(
      `JWT_PRIVATE_KEY is required with JWT_ALGORITHM=${algorithm}: generate one with npm run keys -- generate`,
    );
    return none;
  }
  const signingKey = tried('JWT_PRIVATE_KEY', () => readSigningKey(given));
  if (signingKey && signingKey.algorithm !== algorithm)
    problems.push(`JWT_PRIVATE_KEY is a key for ${signingKey.algorithm}, not ${algorithm}`);
  const previousKeys = (previous ?? '')
    .split(',')
    .filter((item) => item.trim() !== '')
    .map((item) => tried('JWT_PREVIOUS_KEYS', () => readVerificationKey(item.trim())));
  return { signingKey, previousKeys: previousKeys.filter((key) => key !== undefined) };
}
