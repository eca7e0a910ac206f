import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import type { Database } from '@quoin/db';
import type { BeginSession, SignInResult } from '../auth/begin-session.ts';
import { hashOfChallenge, newChallenge } from '../auth/challenges.ts';
import { refuseProof } from '../auth/invalid-proof.ts';
import { proveMailbox } from '../auth/prove-mailbox.ts';
import type { Config } from '../config/config.ts';
import type { Client } from '../http/client.ts';
import { deriveKey } from '../http/derive-key.ts';
import { normalizeEmail } from '../http/email.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import { signInCodeMail } from '../mail/kinds/sign-in-code.ts';
import type { Mail } from '../mail/mail.ts';
import { canSignIn } from '../users/can-sign-in.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'secretKey'>;
  beginSession: BeginSession;
  mail: Mail;
  limiter: Limiter;
  clock: () => Date;
}

const challengeSeconds = 600;
const attemptsMax = 5;
const digits = 6;
/** Tries of all codes of an address: 144 a day for a million codes. */
const guesses = { name: 'code by mail', rate: { burst: 25, perMinute: 0.1 } };

/**
 * Signing in with a code from a mail. A code works only with the challenge that the client got for its request, so access to the mail alone does not suffice. The code is
 * created when the mail is sent, and the database stores only its HMAC.
 */
export function createEmailCodes({ database, config, beginSession, mail, limiter, clock }: Dependencies) {
  const key = deriveKey(config.secretKey, 'email code');
  const hmacOf = (challengeHash: Uint8Array, code: string) =>
    createHmac('sha256', key).update(challengeHash).update(code).digest();

  return {
    /** Sends a code, whether the account exists or not. Resolves to the challenge that the code counts with. */
    request: async (email: string, client: Client): Promise<string> => {
      const recipient = normalizeEmail(email);
      const challenge = newChallenge();
      const token_hash = hashOfChallenge(challenge);
      const now = clock();
      await database.system().transaction(async ({ challenges, jobs }) => {
        await challenges.create({
          token_hash,
          purpose: 'email_code',
          // Gets its address with its code, so that a mail that is not sent leaves the previous code valid.
          email: null,
          data: {},
          created_at: now,
          expires_at: new Date(now.getTime() + challengeSeconds * 1000),
        });
        const data = { challenge: Buffer.from(token_hash).toString('base64url') };
        await mail.send({ jobs }, signInCodeMail, recipient, data, client);
      });
      mail.wake();
      return challenge;
    },

    /**
     * Makes the code of a mail, and voids the previous code of the address. Resolves to undefined if no account has this address, and if the challenge has
     * expired.
     */
    issue: (email: string, challenge: string): Promise<{ code: string; userId: string } | undefined> =>
      database.system().transaction(async ({ users, challenges }) => {
        const user = await users.findByEmail(email);
        if (!canSignIn(user)) return undefined;
        const code = String(randomInt(10 ** digits)).padStart(digits, '0');
        const tokenHash = Buffer.from(challenge, 'base64url');
        const data = { code: hmacOf(tokenHash, code).toString('hex') };
        const isAssigned = await challenges.assign(tokenHash, email, data, clock());
        return isAssigned ? { code, userId: user.id } : undefined;
      }),

    /** @throws Problem `invalid_credentials` for a wrong, used or expired code, and after five tries */
    confirm: async (challenge: string, code: string, client: Client): Promise<SignInResult> => {
      const challengeHash = hashOfChallenge(challenge);
      const tried = await database.system().challenges.try('email_code', challengeHash, clock(), attemptsMax);
      const expected = Buffer.from(String(tried?.data.code ?? ''), 'hex');
      const given = hmacOf(challengeHash, code);
      if (tried?.email) await limiter.take(guesses.name, tried.email, guesses.rate);
      const isRight = expected.length === given.length && timingSafeEqual(expected, given);
      const user = tried?.email ? await database.system().users.findByEmail(tried.email) : undefined;
      const result =
        isRight &&
        user &&
        (await beginSession(user.id, client, async (repositories) => {
          const consumed = await repositories.challenges.consume('email_code', challengeHash, clock());
          if (!consumed) return undefined;
          const current = await repositories.users.lock(user.id);
          if (current?.email !== consumed.email) return undefined;
          if (current.is_active)
            await proveMailbox(repositories, current, { mail, client, now: clock(), isHolder: false });
          return ['email'];
        }));
      if (!result) return refuseProof(database, 'wrong_email_code', user?.id, client);
      await limiter.giveBack([{ ...guesses, key: user.email }]);
      return result;
    },
  };
}

export type EmailCodes = ReturnType<typeof createEmailCodes>;
