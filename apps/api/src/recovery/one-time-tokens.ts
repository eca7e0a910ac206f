import { createHash, randomBytes } from 'node:crypto';
import type { Database, PresentedOneTimeToken, TokenPurpose } from '@quoin/db';
import { deleteAll } from '../http/delete-all.ts';
import { invalid } from '../http/errors.ts';
import { bytesOf, idBytes, uuidOf } from '../http/uuid-bytes.ts';
import { canSignIn } from '../users/can-sign-in.ts';

// Tokens of links in mails: base64url(user id | 256 random bits). The database stores the SHA-256. A token is created when its mail is sent, so it exists only in
// that mail. It works once, for a limited time, and only while the account has the address that it was sent to.

/** Ten minutes for a password (OWASP ASVS 5.0, 6.5.5); a day for an address, because some people read mail once a day. */
const lifetimeSeconds: Record<TokenPurpose, number> = { reset_password: 600, verify_email: 86_400 };

const randomPart = 32;

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** @throws Problem `validation_failed` at `/token` if no server can have issued the token */
export function parseOneTimeToken(token: string): PresentedOneTimeToken {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== idBytes + randomPart) throw invalidOneTimeToken();
  return { userId: uuidOf(bytes), hash: hashOf(token) };
}

/** The same error for a wrong, used or expired token, and for a token of an address that the account no longer has. */
export const invalidOneTimeToken = () => invalid('/token', 'is not valid, was used before, or has expired');

export function createOneTimeTokens({ database, clock }: { database: Database; clock: () => Date }) {
  return {
    /** Issues a token and voids the previous one. Resolves to undefined if no account with this address needs one. */
    issue: async (purpose: TokenPurpose, email: string): Promise<{ token: string; userId: string } | undefined> => {
      const now = clock();
      return database.system().transaction(async ({ users, oneTimeTokens }) => {
        const user = await users.findByEmail(email);
        const isNeeded = canSignIn(user) && (purpose !== 'verify_email' || !user.email_verified_at);
        if (!isNeeded) return undefined;
        const token = Buffer.concat([bytesOf(user.id), randomBytes(randomPart)]).toString('base64url');
        await oneTimeTokens.replace({
          user_id: user.id,
          purpose,
          token_hash: hashOf(token),
          email: user.email,
          created_at: now,
          expires_at: new Date(now.getTime() + lifetimeSeconds[purpose] * 1000),
        });
        return { token, userId: user.id };
      });
    },

    /** Deletes expired tokens. Resolves to their number. */
    deleteExpired: () => deleteAll((limit) => database.system().oneTimeTokens.deleteExpired(clock(), limit)),
  };
}

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>;
