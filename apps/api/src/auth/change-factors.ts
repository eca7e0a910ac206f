import { type Database, requireSession, type Scope, type SystemRepositories, type User } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, sessionEnded } from '../http/errors.ts';
import { identityLinkedMail } from '../mail/kinds/identity-linked.ts';
import { identityUnlinkedMail } from '../mail/kinds/identity-unlinked.ts';
import { passkeyAddedMail } from '../mail/kinds/passkey-added.ts';
import { passkeyRemovedMail } from '../mail/kinds/passkey-removed.ts';
import { recoveryCodesReplacedMail } from '../mail/kinds/recovery-codes-replaced.ts';
import { totpAddedMail } from '../mail/kinds/totp-added.ts';
import { totpRemovedMail } from '../mail/kinds/totp-removed.ts';
import type { Mail } from '../mail/mail.ts';

interface Dependencies {
  database: Database;
  mail: Mail;
  clock: () => Date;
}

const mailsByChange = {
  identity_linked: identityLinkedMail,
  identity_unlinked: identityUnlinkedMail,
  passkey_added: passkeyAddedMail,
  passkey_removed: passkeyRemovedMail,
  recovery_codes_replaced: recoveryCodesReplacedMail,
  totp_added: totpAddedMail,
  totp_removed: totpRemovedMail,
};
type FactorChange = keyof typeof mailsByChange;

/** Changes the factors of the caller. `work` gets the locked account, and can add details to the event. */
export type ChangeFactors = <T>(
  scope: Scope,
  what: FactorChange,
  client: Client,
  work: (repositories: SystemRepositories, user: User, details: Record<string, unknown>) => Promise<T>,
) => Promise<T>;

/**
 * Every change of a factor ends the other sessions, leaves an event, and sends a mail to the owner. Without a second factor, recovery codes replace nothing, so they are
 * deleted with the last one.
 */
export function createChangeFactors({ database, mail, clock }: Dependencies): ChangeFactors {
  return async (scope, what, client, work) => {
    const { userId, sessionId } = requireSession(scope);
    const result = await database.system(scope).transaction(async (repositories) => {
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
      await mail.send(repositories, mailsByChange[what], user.email, {}, client);
      return done;
    });
    mail.wake();
    return result;
  };
}
