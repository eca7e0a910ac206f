import {
  type AuditAction,
  type Database,
  type MailKind,
  requireSession,
  type Scope,
  type SystemRepositories,
  type User,
} from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, sessionEnded } from '../http/errors.ts';
import type { Outbox } from '../mail/outbox.ts';

interface Dependencies {
  database: Database;
  outbox: Outbox;
  clock: () => Date;
}

/** Changes the factors of the caller. `work` gets the locked account, and can add details to the event. */
export type ChangeFactors = <T>(
  scope: Scope,
  what: AuditAction & MailKind,
  client: Client,
  work: (repositories: SystemRepositories, user: User, details: Record<string, unknown>) => Promise<T>,
) => Promise<T>;

/**
 * Every change of a factor ends the other sessions, leaves an event, and sends a mail to the owner. Without a second factor, recovery codes replace nothing, so they are
 * deleted with the last one.
 */
export function createChangeFactors({ database, outbox, clock }: Dependencies): ChangeFactors {
  return async (scope, what, client, work) => {
    const { userId, sessionId } = requireSession(scope);
    const { email } = found(await database.as(scope).account.find());
    const permit = await outbox.permit(what, email);
    const change = database.system(scope).transaction(async (repositories) => {
      const { users, factors, userSessions, auditEvents } = repositories;
      const user = found(await users.lock(userId));
      // The request may have begun before the session was revoked.
      if (!(await userSessions.lockUnrevoked({ userId, sessionId }))) throw sessionEnded();
      const details: Record<string, unknown> = {};
      const done = await work(repositories, user, details);
      const { totp, passkeys } = await factors.count(userId);
      if (!totp && passkeys === 0) await factors.replaceRecoveryCodes(userId, []);
      await userSessions.revokeAllOf(userId, 'factors_changed', clock(), { except: sessionId });
      const event = { action: what, user_id: userId, actor_id: userId, session_id: sessionId, details } as const;
      await auditEvents.create({ ...event, ...client });
      await outbox.post(repositories, { ...permit, recipient: user.email }, client);
      return done;
    });
    const result = await change.catch(async (error) => {
      // Otherwise failed requests would use up the mails that tell the owner of a change.
      await outbox.release(permit);
      throw error;
    });
    outbox.wake();
    return result;
  };
}
