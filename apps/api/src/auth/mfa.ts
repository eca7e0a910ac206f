import type { AuthenticationMethod, Database } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { Problem } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import { credentialsOf, type Door, type Entrance } from './begin-session.ts';
import { hashOfChallenge } from './challenges.ts';
import { checkFactor, type FactorAnswer, type FactorChecks, factorGuesses } from './factors.ts';

interface Dependencies {
  database: Database;
  door: Door;
  limiter: Limiter;
  factorChecks: FactorChecks;
  clock: () => Date;
}

/** Wrong answers that a token survives. */
const attemptsMax = 5;

/** One response for a wrong, used or expired proof. */
export const invalidProof = () =>
  new Problem('invalid_credentials', 'This proof is wrong, was used before, or has expired.');

/** The second step of signing in. */
export function createMfa({ database, door, limiter, factorChecks, clock }: Dependencies) {
  return {
    /**
     * Signs in with the token of the first step and a second factor.
     *
     * @throws Problem `invalid_credentials` for a wrong, used or expired token or factor, and after five tries
     */
    complete: async (token: string, answer: FactorAnswer, client: Client): Promise<Entrance> => {
      const tokenHash = hashOfChallenge(token);
      const challenge = await database.system().challenges.try('mfa', tokenHash, clock(), attemptsMax);
      const userId = challenge?.user_id;
      if (!userId) throw invalidProof();
      await limiter.take(factorGuesses.name, userId, factorGuesses.rate);
      const checked = await checkFactor(factorChecks, userId, answer);
      const { methods, credentials } = challenge.data as { methods: AuthenticationMethod[]; credentials: string };
      const entrance =
        checked &&
        (await door
          .signIn(userId, client, async (repositories) => {
            const consumed = await repositories.challenges.consume('mfa', tokenHash, clock());
            const user = consumed && (await repositories.users.lock(userId));
            // The rollback keeps the token for another try.
            if (!user || credentialsOf(user) !== credentials || !(await checked.use(repositories)))
              throw invalidProof();
            return [...methods, ...checked.methods.filter((method) => method !== 'mfa'), 'mfa'];
          })
          .catch(ignoreInvalidProof));
      if (!entrance) return refuse(userId, client);
      await limiter.giveBack([{ ...factorGuesses, key: userId }]);
      return entrance;
    },
  };

  async function refuse(user_id: string, client: Client): Promise<never> {
    const event = { action: 'sign_in_failed', user_id, details: { reason: 'wrong_factor' } } as const;
    await database.system().auditEvents.create({ ...event, ...client });
    throw invalidProof();
  }
}

export type Mfa = ReturnType<typeof createMfa>;

function ignoreInvalidProof(error: unknown): undefined {
  if (!(error instanceof Problem && error.code === 'invalid_credentials')) throw error;
}
