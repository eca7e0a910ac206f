import { type AuthenticationMethod, type Database, requireSession, type Scope } from '@quoin/db';
import { type Client, turnCallerOf } from '../http/client.ts';
import { found, Problem, sessionEnded } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { secondFactorsOf } from './begin-session.ts';
import { checkFactor, type FactorChecks, sessionGuesses } from './factors.ts';
import type { SessionKeys } from './refresh-token.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  limiter: Limiter;
  factorChecks: FactorChecks;
  clock: () => Date;
}

/** A proof as a client sends it: exactly one field. */
interface StepUpAnswer {
  password?: string | undefined;
  code?: string | undefined;
  credential?: unknown;
}

const failed = () =>
  new Problem('wrong_password', 'The password, code or passkey is wrong, was already used, or has expired.');

/** Authenticates a signed-in user again. */
export function createStepUp({ database, passwords, limiter, factorChecks, clock }: Dependencies) {
  return {
    /**
     * The session counts as freshly authenticated.
     *
     * @param isCookie the request has a session cookie, which gets a new value
     * @throws Problem `wrong_password` for a wrong proof; `mfa_required` for a password alone if the account has a second factor
     */
    stepUp: async (scope: Scope, answer: StepUpAnswer, client: Client, isCookie: boolean): Promise<SessionKeys> => {
      const { userId, sessionId } = requireSession(scope);
      const methods =
        answer.password === undefined
          ? await proveByFactor(userId, answer)
          : await proveByPassword(userId, answer.password, client);
      if (!methods) {
        await database.as(scope).auditEvents.create({ action: 'reauthentication_failed', ...client });
        throw failed();
      }
      return database.system().transaction(async ({ userSessions, auditEvents }) => {
        const session = await userSessions.reauthenticate({ userId, sessionId }, methods, clock(), { isCookie });
        if (!session) throw sessionEnded();
        const event = { action: 'reauthenticated', user_id: userId, actor_id: userId, session_id: sessionId } as const;
        await auditEvents.create({ ...event, details: { methods }, ...client });
        return session;
      });
    },
  };

  async function proveByPassword(
    userId: string,
    password: string,
    client: Client,
  ): Promise<AuthenticationMethod[] | undefined> {
    const { user, has } = await database.system().transaction(async ({ users, factors }) => ({
      user: found(await users.find(userId)),
      has: await factors.count(userId),
    }));
    const methods = secondFactorsOf(has);
    if (methods.length > 0)
      throw new Problem('mfa_required', 'This account has a second factor. Send a code or a passkey.', {
        fields: { methods },
      });
    const isRight = await passwords.verify(password, user.password_hash, turnCallerOf(userId, client));
    return isRight ? ['pwd'] : undefined;
  }

  async function proveByFactor(
    userId: string,
    { code, credential }: StepUpAnswer,
  ): Promise<AuthenticationMethod[] | undefined> {
    if (code !== undefined) await limiter.take(sessionGuesses.name, userId, sessionGuesses.rate);
    const checked = await checkFactor(factorChecks, userId, { code, credential });
    if (!checked || !(await database.system().transaction(checked.use))) return undefined;
    if (code !== undefined) await limiter.giveBack([{ ...sessionGuesses, key: userId }]);
    return checked.methods;
  }
}

export type StepUp = ReturnType<typeof createStepUp>;
