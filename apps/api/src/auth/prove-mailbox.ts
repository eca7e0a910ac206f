import type { SystemRepositories, User } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { setPasswordMail } from '../mail/kinds/set-password.ts';
import type { Mail } from '../mail/mail.ts';
import { secondFactorsOf } from './begin-session.ts';

interface Proof {
  mail: Mail;
  client: Client;
  now: Date;
  /** Whether the same person holds the account: they sent the proof in a session of it, or with its second factor. */
  isHolder: boolean;
  /** The session of the holder, which stays. */
  sessionId?: string | undefined;
}

/**
 * Verifies the address of an account: the caller has access to its mailbox. Ends all other sessions if the address was not verified before.
 *
 * If the caller may not be the holder of the account, an impostor may have registered it. Then a password, API keys and linked providers from before stop working, and the owner
 * of the address gets a mail to choose a password. An account with a second factor is not verified, because the factor may be the impostor's.
 *
 * @returns false if the address was not verified
 */
export async function proveMailbox(
  repositories: SystemRepositories,
  { id, email, email_verified_at, password_hash }: User,
  { mail, client, now, isHolder, sessionId }: Proof,
): Promise<boolean> {
  if (email_verified_at) return true;
  const { oneTimeTokens, users, factors, userSessions, auditEvents, jobs } = repositories;
  if (!isHolder && secondFactorsOf(await factors.count(id)).length > 0) return false;
  const user = await users.proveMailbox(id, email, now, { keepsPassword: isHolder });
  if (!user) return false;
  await oneTimeTokens.deleteAllOf(id);
  const hasLost = !isHolder && ((await voidCredentials(repositories, id, client)) || password_hash !== null);
  await userSessions.revokeAllOf(id, 'email_verified', now, { except: sessionId });
  const event = { user_id: id, actor_id: id, ...client };
  await auditEvents.create({ action: 'email_verified', ...event });
  if (!hasLost) return true;
  if (password_hash) await auditEvents.create({ action: 'password_voided', ...event });
  await mail.send({ jobs }, setPasswordMail, user.email, {}, client);
  return true;
}

/**
 * Deletes the API keys and identities of an account whose address somebody else may have registered, with an event each. Resolves to whether it had any.
 */
export async function voidCredentials(
  { apiKeys, identities, auditEvents }: SystemRepositories,
  user_id: string,
  client: Client,
): Promise<boolean> {
  const about = { user_id, actor_id: user_id, ...client };
  const keys = await apiKeys.deleteAllOf(user_id);
  for (const { id: api_key_id, name, scopes } of keys)
    await auditEvents.create({ action: 'api_key_revoked', details: { api_key_id, name, scopes }, ...about });
  const unlinked = await identities.deleteAllOf(user_id);
  for (const { provider } of unlinked)
    await auditEvents.create({ action: 'identity_unlinked', details: { provider }, ...about });
  return keys.length + unlinked.length > 0;
}
