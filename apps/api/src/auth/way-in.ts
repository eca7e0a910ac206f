import type { SystemRepositories, User } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { Problem } from '../http/errors.ts';

export type RequireWayIn = (repositories: SystemRepositories, user: User) => Promise<void>;

/**
 * Keeps an account from losing its last way to sign in: a password, a passkey, or an account at a provider that is still configured.
 *
 * @throws Problem `last_sign_in_method`
 */
export const createRequireWayIn =
  ({ providers }: Pick<Config, 'providers'>): RequireWayIn =>
  async ({ factors, identities }, user) => {
    if (user.password_hash || (await factors.count(user.id)).passkeys > 0) return;
    const configured = providers.map(({ id }) => id);
    if ((await identities.list(user.id)).some(({ provider }) => configured.includes(provider))) return;
    throw new Problem('last_sign_in_method', 'Set a password or add another way to sign in first.');
  };
