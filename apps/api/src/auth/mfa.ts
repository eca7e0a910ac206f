import type { AuthenticationMethod, Database } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { Problem } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Mail } from '../mail/mail.ts';
import { type BeginSession, credentialsOf, type SignInResult } from './begin-session.ts';
import { hashOfChallenge } from './challenges.ts';
import { type CheckedFactor, checkFactor, type FactorAnswer, type FactorChecks, signInGuesses } from './factors.ts';
import { invalidProof, refuseProof } from './invalid-proof.ts';
import { proveMailbox } from './prove-mailbox.ts';

interface Dependencies {
  database: Database;
  beginSession: BeginSession;
  limiter: Limiter;
  factorChecks: FactorChecks;
  mail: Mail;
  clock: () => Date;
}

/** Wrong answers that a token survives. */
const attemptsMax = 5;

/** The second step of signing in. */
export function createMfa({ database, beginSession, limiter, factorChecks, mail, clock }: Dependencies) {
  return {
    /**
     * Signs in with the token of the first step and a second factor.
     *
     * @throws Problem `invalid_credentials` for a wrong, used or expired token or factor, and after five tries
     */
    complete: async (token: string, answer: FactorAnswer, client: Client): Promise<SignInResult> => {
      const tokenHash = hashOfChallenge(token);
      const challenge = await database.system().challenges.try('mfa', tokenHash, clock(), attemptsMax);
      const userId = challenge?.user_id;
      if (!userId) throw invalidProof();
      // A passkey cannot be guessed.
      if (answer.credential === undefined) await limiter.take(signInGuesses.name, userId, signInGuesses.rate);
      const checked = await checkFactor(factorChecks, userId, answer);
      const { methods, credentials } = challenge.data as { methods: AuthenticationMethod[]; credentials: string };
      const result = checked && (await complete(userId, methods, credentials, tokenHash, checked, client));
      if (!result) return refuseProof(database, 'wrong_factor', userId, client);
      if (answer.credential === undefined) await limiter.giveBack([{ ...signInGuesses, key: userId }]);
      return result;
    },
  };

  /** Resolves to undefined if the token or the factor was used meanwhile, or the credentials have changed. */
  async function complete(
    userId: string,
    first: AuthenticationMethod[],
    credentials: string,
    tokenHash: Buffer,
    second: CheckedFactor,
    client: Client,
  ): Promise<SignInResult | undefined> {
    const begun = beginSession(userId, client, async (repositories) => {
      const consumed = await repositories.challenges.consume('mfa', tokenHash, clock());
      const user = consumed && (await repositories.users.lock(userId));
      // The rollback keeps the token for another try.
      if (!user || credentialsOf(user) !== credentials || !(await second.use(repositories))) throw invalidProof();
      // Mail and second factor together are those of the holder.
      if (first.includes('email'))
        await proveMailbox(repositories, user, { mail, client, now: clock(), isHolder: true });
      return [...first, ...second.methods.filter((method) => method !== 'mfa'), 'mfa'];
    });
    return begun.catch(ignoreInvalidProof);
  }
}

export type Mfa = ReturnType<typeof createMfa>;

function ignoreInvalidProof(error: unknown): undefined {
  if (!(error instanceof Problem && error.code === 'invalid_credentials')) throw error;
}
