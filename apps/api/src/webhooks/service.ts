import { randomBytes } from 'node:crypto';
import { type AuditAction, type Database, newId, type OwnerRepositories, type Scope } from '@quoin/db';
import { scopeFor } from '../auth/owner.ts';
import type { Config } from '../config/config.ts';
import type { Sealed } from '../config/sealed.ts';
import type { Client } from '../http/client.ts';
import { found, invalid } from '../http/errors.ts';
import { checkOutboundUrl } from '../http/outbound.ts';
import type { PublishWebhook } from './delivery.ts';
import type { NewWebhookEndpoint, WebhookEndpointChanges } from './schemas.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'allowsPrivateWebhooks'>;
  sealed: Sealed;
  publish: PublishWebhook;
  clock: () => Date;
}

const endpointsMax = 10;
const secretBytes = 32;
/** While a secret is replaced, messages are signed by both. */
const previousSecretMs = 86_400_000;

const formatSecret = (secret: Uint8Array): string => `whsec_${Buffer.from(secret).toString('base64')}`;

/** Webhook endpoints of users. `userId` is that of the path: `me` or an id. */
export function createWebhooks({ database, config, sealed, publish, clock }: Dependencies) {
  const ownedBy = (scope: Scope, userId: string) => database.as(scopeFor(scope, userId));

  const checkUrl = (url: string) => {
    try {
      checkOutboundUrl(url, { allowsPrivate: config.allowsPrivateWebhooks });
    } catch (error) {
      throw invalid('/url', (error as Error).message);
    }
  };
  /** Without the path, which is a credential at many receivers. */
  const record = (
    { auditEvents }: OwnerRepositories,
    action: AuditAction,
    { id, url }: { id: string; url: string },
    client: Client,
  ) => auditEvents.create({ action, details: { endpoint_id: id, host: new URL(url).host }, ...client });

  return {
    list: async (scope: Scope, userId: string) => ({ items: await ownedBy(scope, userId).webhookEndpoints.list() }),

    get: async (scope: Scope, userId: string, id: string) =>
      found(await ownedBy(scope, userId).webhookEndpoints.find(id)),

    /** Creates an endpoint. Resolves to it with its secret, which is shown once. @throws Problem `validation_failed` */
    create: async (scope: Scope, userId: string, { url, event_types = [] }: NewWebhookEndpoint, client: Client) => {
      checkUrl(url);
      const id = newId();
      const secret = randomBytes(secretBytes);
      const endpoint = await ownedBy(scope, userId).transaction(async (repositories) => {
        const { account, webhookEndpoints } = repositories;
        found(await account.lock());
        if ((await webhookEndpoints.list()).length >= endpointsMax)
          throw invalid('', `is refused: the account has ${endpointsMax} webhook endpoints. Delete one first`);
        const created = await webhookEndpoints.create({
          id,
          url,
          event_types,
          secret: sealed.seal(secret, id),
          created_at: clock(),
        });
        await record(repositories, 'webhook_endpoint_created', created, client);
        return created;
      });
      return { ...endpoint, secret: formatSecret(secret) };
    },

    /** Changes the given fields. Enabling an endpoint does not send what it missed. @throws Problem `not_found`, `validation_failed` */
    update: async (
      scope: Scope,
      userId: string,
      id: string,
      { is_enabled, ...changes }: WebhookEndpointChanges,
      client: Client,
    ) => {
      if (changes.url !== undefined) checkUrl(changes.url);
      const columns = {
        ...changes,
        ...(is_enabled !== undefined && { disabled_at: is_enabled ? null : clock() }),
        // From now on it has two and a half days to accept something.
        ...((is_enabled || changes.url !== undefined) && { delivered_at: clock() }),
      };
      return ownedBy(scope, userId).transaction(async (repositories) => {
        const { webhookEndpoints } = repositories;
        if (Object.keys(columns).length === 0) return found(await webhookEndpoints.find(id));
        const changed = found(await webhookEndpoints.update(id, columns));
        await record(repositories, 'webhook_endpoint_changed', changed, client);
        return changed;
      });
    },

    /** Replaces the secret. The previous one also signs for a day. @throws Problem `not_found` */
    rotateSecret: async (scope: Scope, userId: string, id: string, client: Client) => {
      const secret = randomBytes(secretBytes);
      const until = new Date(clock().getTime() + previousSecretMs);
      await ownedBy(scope, userId).transaction(async (repositories) => {
        const { account, webhookEndpoints } = repositories;
        found(await account.lock());
        const before = found(await webhookEndpoints.find(id));
        const changed = found(
          await webhookEndpoints.update(id, {
            secret: sealed.seal(secret, id),
            previous_secret: before.secret,
            previous_secret_until: until,
          }),
        );
        await record(repositories, 'webhook_endpoint_changed', changed, client);
      });
      return { secret: formatSecret(secret) };
    },

    /** Sends the event `ping`. @throws Problem `not_found` */
    ping: async (scope: Scope, userId: string, id: string) => {
      const owner = scopeFor(scope, userId);
      await database.as(owner).transaction(async (repositories) => {
        found(await repositories.webhookEndpoints.find(id));
        await publish.ping(repositories, id);
      });
      publish.wake();
    },

    delete: async (scope: Scope, userId: string, id: string, client: Client) =>
      ownedBy(scope, userId).transaction(async (repositories) => {
        const endpoint = found(await repositories.webhookEndpoints.find(id));
        await repositories.webhookEndpoints.delete(id);
        await record(repositories, 'webhook_endpoint_deleted', endpoint, client);
      }),
  };
}

export type Webhooks = ReturnType<typeof createWebhooks>;
