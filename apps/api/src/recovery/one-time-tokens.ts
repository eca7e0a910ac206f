import { createHash, randomBytes } from 'node:crypto';
import type { Database, TokenPurpose } from '@quoin/db';
import { invalid } from '../http/errors.ts';

// Tokens of links in mails: 256 random bits, of which the database stores the SHA-256. A token is created when its mail is sent, so it exists only in
// that mail. It works once, for a limited time, and only while the account has the address that it was sent to.

/** Ten minutes for a password (OWASP ASVS 5.0, 6.5.5); a day for an address, because some people read mail once a day. */
const lifetimeSeconds: Record<TokenPurpose, number> = { reset_password: 600, verify_email: 86_400 };
const deletedPerBatch = 1_000;

export const hashOneTimeToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/** The same error for a wrong, used or expired token, and for a token of an address that the account no longer has. */
export const invalidOneTimeToken = () => invalid('/token', 'is not valid, was used before, or has expired');

export function createOneTimeTokens({ database, clock }: { database: Database; clock: () => Date }) {
  return {
    /** Issues a token and voids the previous one. Resolves to undefined if no account with this address needs one. */
    issue: async (purpose: TokenPurpose, email: string): Promise<{ token: string; userId: string } | undefined> => {
      const token = randomBytes(32).toString('base64url');
      const now = clock();
      return database.system().transaction(async ({ users, oneTimeTokens }) => {
        const user = await users.findByEmail(email);
        const isNeeded = user?.is_active && (purpose !== 'verify_email' || !user.email_verified_at);
        if (!isNeeded) return undefined;
        await oneTimeTokens.replace({
          user_id: user.id,
          purpose,
          token_hash: hashOneTimeToken(token),
          email: user.email,
          created_at: now,
          expires_at: new Date(now.getTime() + lifetimeSeconds[purpose] * 1000),
        });
        return { token, userId: user.id };
      });
    },

    /** Deletes expired tokens. Resolves to their number. */
    deleteExpired: () => database.system().oneTimeTokens.deleteExpired(clock(), deletedPerBatch),
  };
}

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>;
