import { createHash, randomBytes } from 'node:crypto';
import type { Database, TokenPurpose } from '@quoin/db';
import { invalid } from '../http/errors.ts';

// Tokens of links in mails: 256 random bits, of which the database has the SHA-256. One is made at the moment its mail is sent, so that
// it stands in that mail and nowhere else; it is good once, for a while, and for the address that it was sent to.

/** Ten minutes for a password (OWASP ASVS 5.0, 6.5.5); a day for an address, since somebody may read mail once a day. */
const lifetimeSeconds: Record<TokenPurpose, number> = { reset_password: 600, verify_email: 86_400 };

/** Under which the token is kept. */
export const hashOneTimeToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/** One answer for a token that is wrong, was used, has expired, or is for an address that the account no longer has. */
export const invalidOneTimeToken = () => invalid('/token', 'is not valid, was used before, or has expired');

/** Makes tokens for mails. */
export function createOneTimeTokens({ database, clock }: { database: Database; clock: () => Date }) {
  return {
    /** Resolves to a new token, for which any earlier one is void; undefined where this address has no account that needs one. */
    issue: async (purpose: TokenPurpose, email: string): Promise<{ token: string; userId: string } | undefined> => {
      const token = randomBytes(32).toString('base64url');
      const now = clock();
      return database.system(async ({ users, oneTimeTokens }) => {
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

    /** Deletes those that nobody can use any more. Resolves to how many. */
    deleteExpired: () => database.system(({ oneTimeTokens }) => oneTimeTokens.deleteExpired(clock(), 1_000)),
  };
}

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>;
