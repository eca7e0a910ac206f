import type { SystemRepositories, User } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { Problem } from '../http/errors.ts';

export type RequireSignInMethod = (repositories: SystemRepositories, user: User) => Promise<void>;

/**
 * Requires that an account can still sign in: with a password, a passkey, or an account at a provider that is configured.
 *
 * @throws Problem `last_sign_in_method`
 */
export const createRequireSignInMethod =
  ({ providers }: Pick<Config, 'providers'>): RequireSignInMethod =>
  async ({ factors, identities }, user) => {
    if (user.password_hash || (await factors.count(user.id)).passkeys > 0) return;
    const configured = providers.map(({ id }) => id);
    if ((await identities.list(user.id)).some(({ provider }) => configured.includes(provider))) return;
    throw new Problem('last_sign_in_method', 'Set a password or add another way to sign in first.');
  };
