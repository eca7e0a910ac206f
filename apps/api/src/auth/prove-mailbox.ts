import type { SystemRepositories, User } from '@quoin/db';
import type { Client } from '../http/client.ts';
import type { Outbox } from '../mail/outbox.ts';

interface Proof {
  outbox: Outbox;
  client: Client;
  now: Date;
  /** The session that sent the proof, if it is one of the account: the same person holds it and reads the mail. */
  ownSessionId?: string | undefined;
}

/**
 * Verifies the address of an account: the caller has access to its mailbox. Ends all other sessions if the address was not verified before. Unless an own session sent the proof, an impostor
 * may have registered the account: a password from before the proof stops working, and the owner gets a mail to choose one.
 *
 * @returns false if the account is deactivated or has another address
 */
export async function proveMailbox(
  { oneTimeTokens, users, userSessions, auditEvents, mails }: SystemRepositories,
  { id, email, email_verified_at }: Pick<User, 'id' | 'email' | 'email_verified_at'>,
  { outbox, client, now, ownSessionId }: Proof,
): Promise<boolean> {
  if (email_verified_at) return true;
  const user = await users.proveMailbox(id, email, now, { keepsPassword: ownSessionId !== undefined });
  if (!user) return false;
  await oneTimeTokens.deleteAllOf(id);
  await userSessions.revokeAllOf(id, 'email_verified', now, { except: ownSessionId });
  const event = { user_id: id, actor_id: id, ...client };
  await auditEvents.create({ action: 'email_verified', ...event });
  if (user.has_password) return true;
  await auditEvents.create({ action: 'password_voided', ...event });
  // No permit needed: an address is verified once.
  await outbox.post({ mails }, { kind: 'set_password', recipient: user.email, isAllowed: true }, client);
  return true;
}
