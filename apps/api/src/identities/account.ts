import type { Database, SystemRepositories } from '@quoin/db';
import { proveMailbox } from '../auth/prove-mailbox.ts';
import type { Client } from '../http/client.ts';
import { invalid, Problem } from '../http/errors.ts';
import { identityLinkedMail } from '../mail/kinds/identity-linked.ts';
import { verifyEmailMail } from '../mail/kinds/verify-email.ts';
import type { Mail } from '../mail/mail.ts';
import { mapUniqueViolation } from '../users/account-changes.ts';
import type { Profile } from './profile.ts';
import type { Provider } from './provider.ts';

interface Dependencies {
  database: Database;
  mail: Mail;
  clock: () => Date;
}

/** Resolves to the id of the account that signs in with an identity. */
export type ResolveAccount = (
  provider: Pick<Provider, 'id' | 'name' | 'trustsEmail'>,
  profile: Profile,
  client: Client,
) => Promise<string>;

const identitiesMax = 20;

interface Context {
  repositories: SystemRepositories;
  provider: Pick<Provider, 'id' | 'name'>;
  profile: Profile;
  /** Whether the provider has verified the address, and is trusted with that. */
  isTrusted: boolean;
  client: Client;
}

/**
 * Finds the account by issuer and subject. An unknown identity gets a new account. If its address has an account already, the identity is linked to that only if the provider has
 * verified the address and the operator trusts the provider with that. An account that had not verified the address then loses its password, sessions, API keys and identities,
 * because an impostor may have registered it.
 */
export function createResolveAccount({ database, mail, clock }: Dependencies): ResolveAccount {
  return async (provider, profile, client) => {
    const known = await database.system().identities.findUserId(profile.issuer, profile.subject);
    if (known) return known;
    const { email } = profile;
    if (email === null) throw invalid('/code', `cannot create an account: ${provider.name} sent no email address`);
    const isTrusted = provider.trustsEmail && profile.isEmailVerified;
    const existing = await database.system().users.findByEmail(email);
    const work = database.system().transaction(async (repositories) => {
      const context = { repositories, provider, profile, isTrusted, client };
      return existing ? linkByAddress(existing.id, email, context) : createAccount(email, context);
    });
    const userId = await mapUniqueViolation(() => work).catch(async (error) => {
      // A concurrent exchange has created the same account.
      const other = await database.system().identities.findUserId(profile.issuer, profile.subject);
      if (!other) throw error;
      return other;
    });
    mail.wake();
    return userId;
  };

  async function createAccount(email: string, context: Context): Promise<string> {
    const { repositories, provider, profile, isTrusted, client } = context;
    const { users, auditEvents } = repositories;
    const email_verified_at = isTrusted ? clock() : null;
    const { id } = await users.create({ email, full_name: profile.name, email_verified_at });
    await createIdentity(repositories, id, provider, profile);
    const event = { action: 'account_created', user_id: id, details: { provider: provider.id } } as const;
    await auditEvents.create({ ...event, ...client });
    if (!isTrusted) await mail.send(repositories, verifyEmailMail, email, {}, client);
    return id;
  }

  async function linkByAddress(id: string, email: string, context: Context): Promise<string> {
    const { repositories, provider, profile, isTrusted, client } = context;
    const user = await repositories.users.lock(id);
    if (!isTrusted || user?.kind !== 'person' || user.email !== email) throw takenBy(provider);
    if (!user.is_active) throw new Problem('account_inactive', 'An admin has deactivated this account.');
    const proof = { mail, client, now: clock(), isHolder: false };
    if (!(await proveMailbox(repositories, user, proof))) throw takenBy(provider);
    await createIdentity(repositories, id, provider, profile);
    const details = { provider: provider.id, by: 'address' };
    await repositories.auditEvents.create({ action: 'identity_linked', user_id: id, details, ...client });
    await mail.send(repositories, identityLinkedMail, email, {}, client);
    return id;
  }
}

const takenBy = ({ id, name }: Pick<Provider, 'id' | 'name'>) =>
  new Problem(
    'email_taken',
    `An account has the address that ${name} sent. Sign in to it in another way, and then link ${name} with POST /users/me/identities/${id}/start.`,
  );

/** @throws Problem `identity_taken`; `validation_failed` if the account has too many */
export async function createIdentity(
  { identities }: SystemRepositories,
  user_id: string,
  { id: provider }: Pick<Provider, 'id'>,
  { issuer, subject, email }: Profile,
): Promise<void> {
  if ((await identities.count(user_id)) >= identitiesMax)
    throw invalid('/code', `cannot be linked: the account has ${identitiesMax} identities. Unlink one first`);
  if (await identities.create({ user_id, provider, issuer, subject, email })) return;
  throw new Problem('identity_taken', 'This account at the provider signs in to another account here.');
}
