import { availableParallelism } from 'node:os';
import { hash, type Options, verify } from '@node-rs/argon2';
import { invalid, Problem } from '../errors.ts';
import { isCommonPassword } from './common-passwords.ts';

// Passwords: what is accepted, how one is hashed, and how one is verified.

/** Argon2id as OWASP's Password Storage Cheat Sheet recommends it; about 180 hashes a second on two cores. */
const argon2id: Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** One core is left to everybody else: with all of them hashing, reads fell to a quarter. */
const hashingMax = Math.max(1, availableParallelism() - 1);
const waitingMax = 128;

/** Of a random password nobody knows: verified against when there is no account, so that this takes as long. */
const nobodysHash = '$argon2id$v=19$m=19456,t=2,p=1$/jiQ4zJSI/SoQE5IriqszQ$jIRbwWfPPBrCOLQSt98Is4JfdvTtMoAZhugGZSWhDcE';

export interface PasswordOwner {
  email: string;
  username?: string | null | undefined;
}

/** Hashes and verifies passwords, a bounded number at once. Both throw a Problem `overloaded` where too many are waiting already. */
export function createPasswords({ passwordLengthMin }: { passwordLengthMin: number }) {
  const inTurn = createTurns(hashingMax, waitingMax);

  return {
    /** Argon2id in PHC format. */
    hash: (password: string): Promise<string> => inTurn(() => hash(normalize(password), argon2id)),

    /** Takes the same time without a hash (no such account), and is then false. */
    verify: async (password: string, passwordHash: string | undefined): Promise<boolean> => {
      const isRight = await inTurn(() => verify(passwordHash ?? nobodysHash, normalize(password)));
      return isRight && passwordHash !== undefined;
    },

    /**
     * Whether somebody may choose this password.
     *
     * @param pointer where it stands in the body
     * @throws Problem `validation_failed` that says what is wrong with it
     */
    accept: (password: string, { email, username }: PasswordOwner, pointer = '/password'): void => {
      const chosen = normalize(password);
      if ([...chosen].length < passwordLengthMin)
        throw invalid(pointer, `must have at least ${passwordLengthMin} characters`);
      const lower = chosen.toLowerCase();
      if (isCommonPassword(lower)) throw invalid(pointer, 'is among the most common passwords');
      const own = [email, email.slice(0, email.indexOf('@')), username?.toLowerCase()];
      if (own.includes(lower)) throw invalid(pointer, 'must not be the email or the username');
    },
  };
}

export type Passwords = ReturnType<typeof createPasswords>;

/** One password however it was typed: composed or decomposed, full width or not (NIST SP 800-63B, 5.1.1.2). */
const normalize = (password: string) => password.normalize('NFKC');

/** Runs at most `atOnce` of what it is given, lets `waiting` more wait in order, and refuses the rest. */
function createTurns(atOnce: number, waiting: number) {
  let running = 0;
  const queue: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      if (queue.length >= waiting) throw new Problem('overloaded', 'Too many passwords are being checked now.');
      await new Promise<void>((resolve) => queue.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
