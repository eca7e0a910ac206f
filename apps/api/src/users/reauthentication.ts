import { type Database, requireSession, type Scope, type User } from '@quoin/db';
import { type Client, turnCallerOf } from '../http/client.ts';
import { found, freshSeconds, Problem, stepUpRequired } from '../http/errors.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import type { Passwords } from '../passwords/passwords.ts';

export const wrongPassword = () => new Problem('wrong_password', 'Send your current password as current_password.');

/** Asks for the current password again before a sensitive change. */
export function createReauthentication({
  database,
  passwords,
  clock,
}: {
  database: Database;
  passwords: Passwords;
  clock: () => Date;
}) {
  const isRecent = (time: Date | undefined) =>
    time !== undefined && clock().getTime() - time.getTime() < freshSeconds * 1000;

  /**
   * Accepts the current password, or a session that was authenticated again. An account without a password needs a recent sign-in.
   *
   * @throws Problem `wrong_password`, `step_up_required`
   */
  const requireProof = async (scope: Scope, self: User, password: string | undefined, client: Client) => {
    if (password === undefined) {
      if (isRecent(requireSession(scope).reauthenticatedAt)) return;
      if (self.password_hash) throw wrongPassword();
      if (isRecent(requireSession(scope).authenticatedAt)) return;
      throw stepUpRequired();
    }
    const caller = turnCallerOf(self.id, client);
    if (await passwords.verify(password, self.password_hash, caller)) return;
    await database.as(scope).auditEvents.create({ action: 'reauthentication_failed', ...client });
    throw wrongPassword();
  };

  return {
    requireProof,

    /** Requires a recent sign-in or the password: a stolen token of an admin must not suffice to take over accounts. @throws Problem `wrong_password` */
    requireRecentProof: async (scope: Scope, password: string | undefined, client: Client) => {
      if (password === undefined && isRecent(requireSession(scope).authenticatedAt)) return;
      await requireProof(scope, found(await database.as(scope).account.find()), password, client);
    },
  };
}

/** Limits guesses of the password with a stolen access token. */
export const passwordProofs: Throttle = {
  name: 'password proof',
  account: {
    of: ({ scope, body }) =>
      (body as { current_password?: string }).current_password === undefined ? undefined : scope.actor.userId,
    fromAll: { burst: 10, perMinute: 6 },
  },
  countsFailures: true,
};
