import type { Database, Scope, User } from '@quoin/db';
import { type Client, turnCallerOf } from '../http/client.ts';
import { found, Problem } from '../http/errors.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import type { Passwords } from '../passwords/passwords.ts';

/** For this long after signing in, an admin need not send the password again. */
const freshMs = 10 * 60_000;

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
  /** @throws Problem `wrong_password` */
  const requirePassword = async (scope: Scope, self: User, password: string | undefined, client: Client) => {
    const caller = turnCallerOf(self.id, client);
    if (password !== undefined && (await passwords.verify(password, self.password_hash, caller))) return;
    if (password !== undefined)
      await database.as(scope).auditEvents.create({ action: 'reauthentication_failed', ...client });
    throw wrongPassword();
  };

  return {
    requirePassword,

    /** Requires a recent sign-in or the password: a stolen token of an admin must not suffice to take over accounts. @throws Problem `wrong_password` */
    requireRecentProof: async (scope: Scope, password: string | undefined, client: Client) => {
      const isFresh = clock().getTime() - scope.actor.authenticatedAt.getTime() < freshMs;
      if (isFresh && password === undefined) return;
      await requirePassword(scope, found(await database.as(scope).account.find()), password, client);
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
