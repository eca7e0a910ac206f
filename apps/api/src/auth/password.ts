import { availableParallelism } from 'node:os';
import { hash, type Options, verify } from '@node-rs/argon2';
import bcrypt from 'bcryptjs';
import type { Config } from '../config.ts';
import { invalid, Problem } from '../errors.ts';
import { createTurns } from '../turns.ts';
import type { BreachCheck } from './breached-passwords.ts';
import { isCommonPassword } from './common-passwords.ts';

// Passwords: what is accepted, how one is hashed, and how one is verified.

/** Argon2id as OWASP's Password Storage Cheat Sheet recommends it; about 180 hashes a second on two cores. */
const argon2id = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } satisfies Options;

/** One core is left to everybody else: with all of them hashing, reads fell to a quarter. */
const hashingMax = Math.max(1, availableParallelism() - 1);
const waitingMax = 128;

/** Of a random password nobody knows: verified against when there is no account, so that this takes as long. */
const nobodysHash = '$argon2id$v=19$m=19456,t=2,p=1$/jiQ4zJSI/SoQE5IriqszQ$jIRbwWfPPBrCOLQSt98Is4JfdvTtMoAZhugGZSWhDcE';

export interface PasswordOwner {
  email: string;
  username?: string | null | undefined;
}

type PasswordRules = Pick<Config, 'passwordLengthMin' | 'passwordContextWords'>;

/**
 * Hashes and verifies passwords, a bounded number at once. Both throw a Problem `overloaded` where too many are waiting already.
 *
 * @param isBreached asked about a new password that nothing else speaks against
 */
export function createPasswords(
  { passwordLengthMin, passwordContextWords }: PasswordRules,
  isBreached: BreachCheck = async () => false,
) {
  const turns = createTurns(
    hashingMax,
    waitingMax,
    () => new Problem('overloaded', 'Too many passwords are being checked now.'),
  );

  return {
    /** How many hashes are being made, and how many wait for their turn. */
    load: (): { running: number; waiting: number } => turns,

    /** Argon2id in PHC format. */
    hash: (password: string): Promise<string> => turns.take(() => hash(normalize(password), argon2id)),

    /** Takes the same time without a hash (no such account), and is then false. Knows Argon2 and, from other systems, bcrypt. */
    verify: async (password: string, passwordHash: string | undefined): Promise<boolean> => {
      const isRight = await turns.take(() => verifyAny(password, passwordHash ?? nobodysHash));
      return isRight && passwordHash !== undefined;
    },

    /**
     * Whether somebody may choose this password.
     *
     * @param pointer where it stands in the body
     * @throws Problem `validation_failed` that says what is wrong with it
     */
    accept: async (password: string, { email, username }: PasswordOwner, pointer = '/password'): Promise<void> => {
      const chosen = normalize(password);
      if ([...chosen].length < passwordLengthMin)
        throw invalid(pointer, `must have at least ${passwordLengthMin} characters`);
      const lower = chosen.toLowerCase();
      if (isCommonPassword(lower)) throw invalid(pointer, 'is among the most common passwords');
      const own = [email, email.slice(0, email.indexOf('@')), username ?? ''];
      if (own.some((name) => isLike(lower, name.toLowerCase())))
        throw invalid(pointer, 'is too much like the email or the username');
      if (passwordContextWords.some((word) => isLike(lower, word.toLowerCase())))
        throw invalid(pointer, 'is too much like a name that everybody here knows');
      if (await isBreached(chosen)) throw invalid(pointer, 'is known from a theft of passwords somewhere');
    },
  };
}

export type Passwords = ReturnType<typeof createPasswords>;

/** Whether a hash was made in a weaker way than new ones are: with bcrypt, another Argon2, or cheaper parameters. */
export function isOutdatedHash(passwordHash: string): boolean {
  const parameters = argon2Parameters(passwordHash);
  if (!parameters || !passwordHash.startsWith('$argon2id$')) return true;
  return parameters.memoryCost < argon2id.memoryCost || parameters.timeCost < argon2id.timeCost;
}

/**
 * Whether a hash from elsewhere can be verified here, within a cost that a sign-in may have: bcrypt (`$2a$`, `$2b$`, `$2y$`) up to
 * cost 15, Argon2 up to 256 MiB and 16 passes.
 */
export function isUsableHash(passwordHash: string): boolean {
  const cost = bcryptPattern.exec(passwordHash)?.[1];
  if (cost) return Number(cost) >= 4 && Number(cost) <= 15;
  const parameters = argon2Parameters(passwordHash);
  return parameters !== undefined && parameters.memoryCost <= 262_144 && parameters.timeCost <= 16;
}

const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const argon2Pattern =
  /^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=\d{1,3}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}$/;

function argon2Parameters(passwordHash: string) {
  const [, memoryCost, timeCost] = argon2Pattern.exec(passwordHash) ?? [];
  return memoryCost && timeCost ? { memoryCost: Number(memoryCost), timeCost: Number(timeCost) } : undefined;
}

/** The system that a bcrypt hash comes from did not normalize, so the password is taken as it was typed. */
const verifyAny = (password: string, passwordHash: string): Promise<boolean> =>
  bcryptPattern.test(passwordHash) ? bcrypt.compare(password, passwordHash) : verify(passwordHash, normalize(password));

/** Whether a password is a name with nothing but digits and signs put around it or into it: what is tried right after the name. */
function isLike(password: string, name: string): boolean {
  const lettersOf = (text: string) => text.replace(/[^\p{L}]/gu, '');
  return password === name || (lettersOf(name).length >= 3 && lettersOf(password) === lettersOf(name));
}

/** One password however it was typed: composed or decomposed, full width or not (NIST SP 800-63B, 5.1.1.2). */
const normalize = (password: string) => password.normalize('NFKC');
