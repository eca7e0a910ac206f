import { randomBytes } from 'node:crypto';
import type { SystemRepositories } from '@quoin/db';
import type { Config } from '../config/config.ts';
import type { Client } from '../http/client.ts';
import type { SessionKeys } from './refresh-token.ts';

const tokenSecretBytes = 32;

/**
 * Begins a session of a user who has just proven who they are, in the caller's transaction. Every way to sign in ends here: nothing else creates sessions
 * (`scripts/layers.ts` checks it), so what must hold for every session belongs here.
 */
export async function beginSession(
  { userSessions, auditEvents }: Pick<SystemRepositories, 'userSessions' | 'auditEvents'>,
  userId: string,
  client: Client,
  { now, config }: { now: Date; config: Pick<Config, 'sessionSeconds'> },
): Promise<SessionKeys> {
  const token_secret = randomBytes(tokenSecretBytes);
  const id = await userSessions.create({
    token_secret,
    user_id: userId,
    user_agent: client.user_agent,
    ip_address: client.ip_address,
    created_at: now,
    last_used_at: now,
    expires_at: new Date(now.getTime() + config.sessionSeconds * 1000),
  });
  await auditEvents.create({ action: 'signed_in', user_id: userId, actor_id: userId, session_id: id, ...client });
  return { id, user_id: userId, generation: 0, token_secret };
}
