import { type ApiKey, type Database, requireSession, type Scope, type SystemRepositories } from '@quoin/db';
import { formatApiKey, hashOfApiKeySecret, newApiKeySecret, parseApiKey } from '../auth/api-key.ts';
import { scopeFor } from '../auth/owner.ts';
import { type Client, noClient } from '../http/client.ts';
import { forbidden, found, invalid, sessionEnded } from '../http/errors.ts';
import { apiKeyCreatedMail } from '../mail/kinds/api-key-created.ts';
import { apiKeyLeakedMail } from '../mail/kinds/api-key-leaked.ts';
import type { Mail } from '../mail/mail.ts';
import { actorColumns } from '../users/account-changes.ts';
import type { CreatedApiKey, NewApiKey } from './schemas.ts';

interface Dependencies {
  database: Database;
  mail: Mail;
  clock: () => Date;
}

const dayMs = 86_400_000;
const keysMax = 50;
const daysDefault = 90;

/** API keys: users and admins create, list and revoke them. Requests with a key are authenticated in `auth/authentication.ts`. */
export function createApiKeys({ database, mail, clock }: Dependencies) {
  /**
   * @param scope undefined for the command line
   * @param organizationId the organization whose rows the key is for, instead of those of its owner
   */
  async function create(
    ownerId: string,
    { name, scopes, expires_in_days = daysDefault }: NewApiKey,
    client: Client,
    { scope, organizationId = null }: { scope?: Scope; organizationId?: string | null } = {},
  ): Promise<CreatedApiKey> {
    const secret = newApiKeySecret();
    const owner = found(await database.system().users.find(ownerId));
    const created_at = clock();
    const key = await database.system(scope).transaction(async (repositories) => {
      const { users, userSessions, apiKeys } = repositories;
      found(await users.lock(ownerId));
      // The request may have begun before the session was revoked.
      if (scope && !(await userSessions.lockUnrevoked(requireSession(scope)))) throw sessionEnded();
      if (organizationId !== null) await requireOrganizationAdmin(repositories, organizationId, ownerId);
      if ((await apiKeys.list(ownerId)).length >= keysMax)
        throw invalid('', `is refused: the account has ${keysMax} API keys. Revoke one first`);
      const key = await apiKeys.create({
        user_id: ownerId,
        organization_id: organizationId,
        name,
        scopes,
        secret_hash: hashOfApiKeySecret(secret),
        created_at,
        expires_at: new Date(created_at.getTime() + expires_in_days * dayMs),
      });
      await record(repositories, 'api_key_created', ownerId, key, client, scope);
      await mail.send(repositories, apiKeyCreatedMail, owner.email, {}, client);
      return key;
    });
    mail.wake();
    return { ...key, key: formatApiKey({ userId: ownerId, id: key.id, secret }) };
  }

  return {
    /** The owner gets a mail. @throws Problem `forbidden`, `not_found`, `validation_failed` */
    create: (scope: Scope, userId: string, body: NewApiKey, client: Client) =>
      create(scopeFor(scope, userId).owner.userId, body, client, { scope }),

    /**
     * Creates a key for the rows of an organization. It acts as the caller, with the role that the caller has at that time, and ends with their membership.
     *
     * @throws Problem `forbidden`, `not_found`, `validation_failed`
     */
    createForOrganization: (scope: Scope, organizationId: string, body: NewApiKey, client: Client) =>
      create(scope.actor.userId, body, client, { scope, organizationId }),

    /** For the operator at the command line. */
    createFor: (ownerId: string, body: NewApiKey) => create(ownerId, body, noClient),

    list: async (scope: Scope, userId: string) => ({
      items: await database.system().apiKeys.list(scopeFor(scope, userId).owner.userId),
    }),

    /** @throws Problem `not_found` */
    get: async (scope: Scope, userId: string, id: string): Promise<ApiKey> => {
      const keys = await database.system().apiKeys.list(scopeFor(scope, userId).owner.userId);
      return found(keys.find((key) => key.id === id));
    },

    /** The keys of all members for the rows of the organization. */
    listOfOrganization: async (organizationId: string) => ({
      items: await database.system().apiKeys.listOf(organizationId),
    }),

    /** @throws Problem `forbidden`, `not_found` */
    revokeOfOrganization: (scope: Scope, organizationId: string, id: string, client: Client): Promise<void> =>
      database.system(scope).transaction(async (repositories) => {
        await requireOrganizationAdmin(repositories, organizationId, scope.actor.userId);
        const key = found(await repositories.apiKeys.deleteOf(organizationId, id));
        await record(repositories, 'api_key_revoked', key.user_id, key, client, scope);
      }),

    /** The key stops working with the next request. @throws Problem `not_found` */
    revoke: async (scope: Scope, userId: string, id: string, client: Client): Promise<void> => {
      const ownerId = scopeFor(scope, userId).owner.userId;
      await database.system(scope).transaction(async (repositories) => {
        const key = found(await repositories.apiKeys.delete(ownerId, id));
        await record(repositories, 'api_key_revoked', ownerId, key, client, scope);
      });
    },

    /** Revokes a leaked key for anybody who has it, and tells its owner. Says nothing about keys that do not exist. */
    revokeLeaked: async (text: string, client: Client): Promise<void> => {
      const presented = parseApiKey(text);
      const recipient = presented && (await database.system().apiKeys.findOwner(presented));
      if (!presented || recipient === undefined) return;
      const { userId, apiKeyId, secretHash } = presented;
      await database.system().transaction(async (repositories) => {
        const key = await repositories.apiKeys.delete(userId, apiKeyId, secretHash);
        if (!key) return;
        await record(repositories, 'api_key_revoked', userId, key, client);
        await mail.send(repositories, apiKeyLeakedMail, recipient, {}, client);
      });
      mail.wake();
    },
  };
}

export type ApiKeyService = ReturnType<typeof createApiKeys>;

const record = (
  { auditEvents }: SystemRepositories,
  action: 'api_key_created' | 'api_key_revoked',
  user_id: string,
  { id: api_key_id, organization_id, name, scopes }: ApiKey,
  client: Client,
  scope?: Scope,
) => {
  const details = { api_key_id, name, scopes };
  return auditEvents.create({ action, user_id, organization_id, details, ...actorColumns(scope), ...client });
};

/** Holds until the transaction ends. @throws Problem `forbidden`, `not_found` */
async function requireOrganizationAdmin({ organizations }: SystemRepositories, organizationId: string, userId: string) {
  const role = found(await organizations.lockRole(organizationId, userId));
  if (role === 'member') throw forbidden();
}
