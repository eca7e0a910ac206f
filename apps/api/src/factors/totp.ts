import { randomBytes } from 'node:crypto';
import { type Database, requireSession, type Scope } from '@quoin/db';
import type { CheckedFactor } from '../auth/factors.ts';
import type { Config } from '../config/config.ts';
import type { Sealed } from '../config/sealed.ts';
import { found } from '../http/errors.ts';

// Authenticator apps (RFC 6238): six digits, SHA-1 and 30 s, which every app supports.

const secretBytes = 20;
/** Time to confirm a new secret, in the session that asked for it. */
const pendingSeconds = 600;
const periodSeconds = 30;
/** Time steps before and after the current one whose codes count, because clocks differ (RFC 6238, 5.2). */
const window = 1;

interface Dependencies {
  database: Database;
  sealed: Sealed;
  config: Pick<Config, 'appUrl'>;
  clock: () => Date;
}

/** Creates and checks the secrets of authenticator apps. */
export function createTotp({ database, sealed, config, clock }: Dependencies) {
  const issuer = new URL(config.appUrl).host;

  return {
    /** Creates a secret, which waits for its confirmation. */
    begin: async (scope: Scope): Promise<{ secret: string; otpauth_url: string }> => {
      const { userId } = scope.owner;
      const { email } = found(await database.as(scope).account.find());
      const secret = randomBytes(secretBytes);
      const pending = {
        pending_secret: sealed.seal(secret, userId),
        pending_session_id: requireSession(scope).sessionId,
        pending_until: new Date(clock().getTime() + pendingSeconds * 1000),
      };
      await database.system().factors.setPendingTotp(userId, pending);
      const totp = await totpOf(secret, { issuer, label: email });
      return { secret: totp.secret.base32, otpauth_url: totp.toString() };
    },

    /** Returns the pending secret of this session and the time step, if the code is right for it. */
    checkPending: async (scope: Scope, code: string): Promise<{ pending: Uint8Array; step: number } | undefined> => {
      const { userId, sessionId } = requireSession(scope);
      const pending = await database.system().factors.findPendingTotp(userId, sessionId, clock());
      const step = pending && (await stepOf(pending, userId, code));
      return pending && step !== undefined ? { pending, step } : undefined;
    },

    /** Checks a code of the secret in force. */
    check: async (userId: string, code: string): Promise<CheckedFactor | undefined> => {
      const secret = await database.system().factors.findTotp(userId);
      const step = secret && (await stepOf(secret, userId, code));
      if (!secret || step === undefined) return undefined;
      return { userId, methods: ['otp', 'mfa'], use: ({ factors }) => factors.useTotpStep(userId, secret, step) };
    },
  };

  /** Returns the time step of a code; undefined if it is wrong. */
  async function stepOf(stored: Uint8Array, userId: string, code: string): Promise<number | undefined> {
    const totp = await totpOf(sealed.open(stored, userId), {});
    const timestamp = clock().getTime();
    const delta = totp.validate({ token: code, window, timestamp });
    return delta === null ? undefined : Math.floor(timestamp / 1000 / periodSeconds) + delta;
  }
}

export type Totp = ReturnType<typeof createTotp>;

async function totpOf(secret: Buffer, { issuer = '', label = '' }: { issuer?: string; label?: string }) {
  const { Secret, TOTP } = await import('otpauth');
  return new TOTP({
    secret: new Secret({ buffer: new Uint8Array(secret).buffer }),
    issuer,
    label,
    digits: 6,
    period: periodSeconds,
    algorithm: 'SHA1',
  });
}
