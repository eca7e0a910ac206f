import type { SystemRepositories, User } from '@quoin/db';
import { Problem } from '../http/errors.ts';

/** Keeps an account from losing its last way to sign in: a password, a passkey, or an account at a provider. @throws Problem `last_sign_in_method` */
export async function requireWayIn({ factors, identities }: SystemRepositories, user: User): Promise<void> {
  if (user.password_hash || (await factors.count(user.id)).passkeys > 0) return;
  if ((await identities.count(user.id)) > 0) return;
  throw new Problem('last_sign_in_method', 'Set a password or add another way to sign in first.');
}
