import type { Database } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { Problem } from '../http/errors.ts';

/** One response for a wrong, used or expired proof. */
export const invalidProof = (fields: Record<string, unknown> = {}) =>
  new Problem('invalid_credentials', 'The code or passkey is wrong, was already used, or has expired.', { fields });

/** Records a failed sign-in and refuses it. @throws Problem `invalid_credentials`, with these fields */
export async function refuseProof(
  database: Database,
  reason: 'wrong_factor' | 'wrong_email_code' | 'wrong_passkey' | 'wrong_provider_code',
  userId: string | undefined,
  client: Client,
  fields?: Record<string, unknown>,
): Promise<never> {
  const event = { action: 'sign_in_failed', user_id: userId ?? null, details: { reason } } as const;
  await database.system().auditEvents.create({ ...event, ...client });
  throw invalidProof(fields);
}
