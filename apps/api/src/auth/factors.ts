import type { AuthenticationMethod, SystemRepositories } from '@quoin/db';
import type { Rate } from '../http/throttle/memory-store.ts';

// The check of a second factor. The features factors/ and passkeys/ implement it.

/** A factor that was right when it was checked. */
export interface CheckedFactor {
  userId: string;
  methods: AuthenticationMethod[];
  /** Uses it up, in the transaction of its effect. Of concurrent uses, one resolves to true. */
  use: (repositories: SystemRepositories) => Promise<boolean>;
}

/** Each resolves to undefined if the factor is wrong. */
export interface FactorChecks {
  code: (userId: string, code: string) => Promise<CheckedFactor | undefined>;
  recoveryCode: (userId: string, code: string) => Promise<CheckedFactor | undefined>;
  credential: (credential: unknown) => Promise<CheckedFactor | undefined>;
}

/** A second factor as a client sends it: exactly one field. */
export interface FactorAnswer {
  code?: string | undefined;
  recovery_code?: string | undefined;
  credential?: unknown;
}

/** A code of six digits has three right values at a time. */
const guesses: Rate = { burst: 10, perMinute: 0.2 };
/** Guesses of all second factors of an account when signing in. */
export const signInGuesses = { name: 'second factor', rate: guesses };
/** The same in a session. It has its own bucket, so that an attacker with the password cannot block the owner's step-up. */
export const sessionGuesses = { name: 'second factor in a session', rate: guesses };

/** Checks a second factor of a user. */
export async function checkFactor(
  checks: FactorChecks,
  userId: string,
  { code, recovery_code, credential }: FactorAnswer,
): Promise<CheckedFactor | undefined> {
  const checked =
    code !== undefined
      ? await checks.code(userId, code)
      : recovery_code !== undefined
        ? await checks.recoveryCode(userId, recovery_code)
        : await checks.credential(credential);
  return checked?.userId === userId ? checked : undefined;
}
