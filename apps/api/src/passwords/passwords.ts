import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { verify as verifyBcrypt } from '@node-rs/bcrypt';
import type { Config } from '../config/config.ts';
import { invalid, Problem } from '../http/errors.ts';
import { createTurns, type TurnCaller } from '../http/throttle/turns.ts';
import type { BreachCheck } from './breached-passwords.ts';
import { isCommonPassword } from './common-passwords.ts';

// Passwords: which ones are accepted, and how they are hashed and verified.

/** Parameters of Argon2id: KiB of memory, passes and lanes. */
export interface HashCost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/** What OWASP's Password Storage Cheat Sheet recommends; about 180 hashes a second on two cores. */
export const recommendedCost: HashCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** One core stays free: with all of them hashing, reads fell to a quarter. */
const hashingMax = Math.max(1, availableParallelism() - 1);
const waitingMax = 128;

/** The hash of a random password. Verifying against it takes as long for an unknown account as for a known one. */
const dummyHash = '$argon2id$v=19$m=19456,t=2,p=1$/jiQ4zJSI/SoQE5IriqszQ$jIRbwWfPPBrCOLQSt98Is4JfdvTtMoAZhugGZSWhDcE';

export interface PasswordOwner {
  email: string;
  username?: string | null | undefined;
}

type PasswordRules = Pick<Config, 'passwordLengthMin' | 'passwordContextWords'>;

interface PasswordOptions {
  /** Cost of a new hash. Tests lower it. */
  hashCost?: HashCost | undefined;
  /** Checks a new password that passes every other check. */
  isBreached?: BreachCheck;
  /** Logs a stored hash that cannot be verified. */
  warn?: (error: unknown, message: string) => void;
}

/**
 * Hashes and verifies passwords: a bounded number at once, on threads of their own, in a fair order. Both throw a Problem `overloaded` if too many
 * are waiting.
 */
export function createPasswords(
  { passwordLengthMin, passwordContextWords }: PasswordRules,
  { hashCost = recommendedCost, isBreached = async () => false, warn = () => {} }: PasswordOptions = {},
) {
  const turns = createTurns(
    hashingMax,
    waitingMax,
    () => new Problem('overloaded', 'Too many passwords are being checked. Try again later.'),
  );

  return {
    /** Returns the number of hashes being computed and waiting. */
    load: (): { running: number; waiting: number } => turns,

    /** Returns Argon2id in PHC format. */
    hash: (password: string, caller?: TurnCaller): Promise<string> =>
      turns.take(() => hash(normalize(password), hashCost), caller),

    /** Whether a hash is weaker than new ones. */
    isOutdated: (passwordHash: string): boolean => isOutdatedHash(passwordHash, hashCost),

    /**
     * Whether the password has this hash: Argon2 or, from other systems, bcrypt. False, after the same time, without a hash (no such account, or an
     * account without a password), and for a hash that cannot be verified.
     */
    verify: async (
      password: string,
      passwordHash: string | null | undefined,
      caller?: TurnCaller,
    ): Promise<boolean> => {
      const isRight = await turns
        .take(() => verifyAny(password, passwordHash ?? dummyHash), caller)
        .catch((error) => {
          if (error instanceof Problem) throw error;
          warn(error, 'a stored password hash cannot be verified');
          return false;
        });
      return isRight && Boolean(passwordHash);
    },

    /**
     * Accepts a new password, or throws.
     *
     * @param pointer the JSON pointer of the password in the body
     * @throws Problem `validation_failed` that says what is wrong with it
     */
    accept: async (password: string, { email, username }: PasswordOwner, pointer = '/password'): Promise<void> => {
      const chosen = normalize(password);
      if ([...chosen].length < passwordLengthMin)
        throw invalid(pointer, `must be at least ${passwordLengthMin} characters`);
      const lower = chosen.toLowerCase();
      if (isCommonPassword(lower)) throw invalid(pointer, 'is among the most common passwords');
      const own = [email, email.slice(0, email.indexOf('@')), username ?? ''];
      if (own.some((name) => isLike(lower, name.toLowerCase())))
        throw invalid(pointer, 'is too similar to the email or the username');
      if (passwordContextWords.some((word) => isLike(lower, word.toLowerCase())))
        throw invalid(pointer, 'is a name that attackers try first. Choose another one.');
      if (await isBreached(chosen)) throw invalid(pointer, 'has appeared in a data breach. Choose another one.');
    },
  };
}

export type Passwords = ReturnType<typeof createPasswords>;

/** Whether a hash is weaker than new ones: bcrypt, another Argon2, or cheaper parameters. */
export function isOutdatedHash(passwordHash: string, hashCost = recommendedCost): boolean {
  const parameters = argon2Parameters(passwordHash);
  if (!parameters || !passwordHash.startsWith('$argon2id$')) return true;
  return parameters.memoryCost < hashCost.memoryCost || parameters.timeCost < hashCost.timeCost;
}

/** Memory times passes, in KiB: eight times what a new hash costs. */
const argon2WorkMax = 8 * recommendedCost.memoryCost * recommendedCost.timeCost;
const argon2LanesMax = 4;
const bcryptCostMax = 12;

/**
 * Whether a hash from another system can be imported. Verifying it may cost a few tenths of a second at most: bcrypt (`$2a$`, `$2b$`, `$2y$`) up to
 * cost 12, Argon2 up to eight times the work of a new hash and 4 lanes.
 */
export function isUsableHash(passwordHash: string): boolean {
  const cost = bcryptPattern.exec(passwordHash)?.[1];
  if (cost) return Number(cost) >= 4 && Number(cost) <= bcryptCostMax;
  const parameters = argon2Parameters(passwordHash);
  if (!parameters) return false;
  const { memoryCost, timeCost, parallelism } = parameters;
  return (
    timeCost >= 1 &&
    parallelism >= 1 &&
    parallelism <= argon2LanesMax &&
    memoryCost >= 8 * parallelism &&
    memoryCost * timeCost <= argon2WorkMax
  );
}

const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const argon2Pattern =
  /^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}$/;

function argon2Parameters(passwordHash: string) {
  const [, memoryCost, timeCost, parallelism] = argon2Pattern.exec(passwordHash) ?? [];
  return parallelism === undefined
    ? undefined
    : { memoryCost: Number(memoryCost), timeCost: Number(timeCost), parallelism: Number(parallelism) };
}

/** Systems with bcrypt do not normalize, so their passwords are verified as typed. */
const verifyAny = (password: string, passwordHash: string): Promise<boolean> =>
  bcryptPattern.test(passwordHash) ? verifyBcrypt(password, passwordHash) : verify(passwordHash, normalize(password));

/** Whether a password is a name with only digits and punctuation added, which attackers try right after the name. */
function isLike(password: string, name: string): boolean {
  const lettersOf = (text: string) => text.replace(/[^\p{L}]/gu, '');
  return password === name || (lettersOf(name).length >= 3 && lettersOf(password) === lettersOf(name));
}

/** Makes composed and decomposed, full-width and half-width input the same password (NIST SP 800-63B, 5.1.1.2). */
const normalize = (password: string) => password.normalize('NFKC');
