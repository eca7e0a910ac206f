import type { Database, SystemRepositories } from '@quoin/db';
import { proveMailbox } from '../auth/prove-mailbox.ts';
import type { Client } from '../http/client.ts';
import { invalid, Problem } from '../http/errors.ts';
import type { MailPermit, Outbox } from '../mail/outbox.ts';
import { mapUniqueViolation } from '../users/account-changes.ts';
import type { Profile } from './profile.ts';
import type { Provider } from './provider.ts';

interface Dependencies {
  database: Database;
  outbox: Outbox;
  clock: () => Date;
}

/** Resolves to the id of the account that signs in with an identity. */
export type FindAccount = (
  provider: Pick<Provider, 'id' | 'name' | 'trustsEmail'>,
  profile: Profile,
  client: Client,
) => Promise<string>;

interface Context {
  repositories: SystemRepositories;
  provider: Pick<Provider, 'id' | 'name'>;
  profile: Profile;
  /** Whether the provider has verified the address, and is trusted with that. */
  isTrusted: boolean;
  client: Client;
  permit: MailPermit;
}

/**
 * Finds the account by issuer and subject, never by address. An unknown identity gets a new account. If its address has an account already, the identity is linked to it
 * only if the address is proven on both sides: the provider has verified it, and the operator trusts the provider with that. If the account here has not verified the address,
 * an impostor may have registered it, so it loses its password, sessions, API keys and identities.
 */
export function createFindAccount({ database, outbox, clock }: Dependencies): FindAccount {
  return async (provider, profile, client) => {
    const known = await database.system().identities.findUserId(profile.issuer, profile.subject);
    if (known) return known;
    const { email } = profile;
    if (email === null)
      throw invalid('/code', `leads to an account without an email address: ${provider.name} sent none`);
    const isTrusted = provider.trustsEmail && profile.isEmailVerified;
    const existing = await database.system().users.findByEmail(email);
    const permit = await outbox.permit(existing ? 'identity_linked' : 'verify_email', email);
    const work = database.system().transaction(async (repositories) => {
      const context = { repositories, provider, profile, isTrusted, client, permit };
      return existing ? linkByAddress(existing.id, email, context) : createAccount(email, context);
    });
    const userId = await mapUniqueViolation(() => work).catch(async (error) => {
      await outbox.release(permit);
      // A concurrent exchange has created the same account.
      const other = await database.system().identities.findUserId(profile.issuer, profile.subject);
      if (!other) throw error;
      return other;
    });
    outbox.wake();
    return userId;
  };

  async function createAccount(email: string, { isTrusted, ...context }: Context): Promise<string> {
    const { repositories, provider, profile, client, permit } = context;
    const { users, auditEvents } = repositories;
    const email_verified_at = isTrusted ? clock() : null;
    const { id } = await users.create({ email, full_name: profile.name, email_verified_at });
    await linkTo(id, context);
    const event = { action: 'account_created', user_id: id, details: { provider: provider.id } } as const;
    await auditEvents.create({ ...event, ...client });
    if (!isTrusted) await outbox.post(repositories, permit, client);
    return id;
  }

  async function linkByAddress(id: string, email: string, { isTrusted, ...context }: Context): Promise<string> {
    const { repositories, provider, client, permit } = context;
    const user = await repositories.users.lock(id);
    if (!isTrusted || user?.kind !== 'person' || user.email !== email) throw takenBy(provider);
    if (!user.is_active) throw new Problem('account_inactive', 'An admin has deactivated this account.');
    const proof = { outbox, client, now: clock(), isHolder: false };
    if (!(await proveMailbox(repositories, user, proof))) throw takenBy(provider);
    await linkTo(id, context);
    const details = { provider: provider.id, by: 'address' };
    await repositories.auditEvents.create({ action: 'identity_linked', user_id: id, details, ...client });
    await outbox.post(repositories, permit, client);
    return id;
  }
}

const takenBy = ({ id, name }: Pick<Provider, 'id' | 'name'>) =>
  new Problem(
    'email_taken',
    `An account has the address that ${name} sent. Sign in to it in another way, and then link ${name} with POST /users/me/identities/${id}/start.`,
  );

async function linkTo(userId: string, { repositories, provider, profile }: Omit<Context, 'isTrusted'>): Promise<void> {
  const { issuer, subject, email } = profile;
  const identity = { user_id: userId, provider: provider.id, issuer, subject, email };
  if (!(await repositories.identities.create(identity)))
    throw new Problem('identity_taken', 'Somebody has just signed in with this account. Try again.');
}
