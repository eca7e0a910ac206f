import { type Database, newId, type OwnerRepositories } from '@quoin/db';
import { type Static, Type } from 'typebox';
import type { Sealed } from '../config/sealed.ts';
import type { Outbound } from '../http/outbound.ts';
import { signStandardWebhook } from '../incoming-webhooks/signature.ts';
import { webhookDisabledMail } from '../mail/kinds/webhook-disabled.ts';
import type { Mail } from '../mail/mail.ts';
import { PermanentFailure, type RunningJob } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  sealed: Sealed;
  outbound: Outbound;
  mail: Mail;
  clock: () => Date;
}

/** Half an hour, doubled seven times: two and a half days. */
const attempts = { attemptsMax: 8, retrySeconds: 1_800, retrySecondsMax: 86_400 };
const gone = 410;

const Event = Type.Object({
  type: Type.String(),
  occurred_at: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
});
const Delivery = Type.Object({ endpoint_id: Type.String(), message_id: Type.String(), event: Event });
type Delivery = Static<typeof Delivery>;

/** Sends an event to the user's endpoints if the transaction of `repositories` commits. `userId` is needed in `database.system()`. */
export interface PublishWebhook {
  (
    repositories: Pick<OwnerRepositories, 'jobs'>,
    type: string,
    data: Record<string, unknown>,
    options?: { userId?: string },
  ): Promise<void>;
  /** Sends the event `ping` to one endpoint of the user. */
  ping(repositories: Pick<OwnerRepositories, 'jobs'>, endpointId: string): Promise<void>;
  /** Starts the delivery now. Call it after the commit. */
  wake(): void;
}

/**
 * Defines the jobs that send events to webhook endpoints, signed by Standard Webhooks v1: one job per event, which becomes one job per endpoint. An endpoint that accepts
 * nothing for two and a half days is disabled, and its owner gets a mail.
 */
export function defineWebhookJobs({ database, jobs, sealed, outbound, mail, clock }: Dependencies): PublishWebhook {
  const deliveryJob = jobs.define({
    name: 'deliver webhook',
    data: Delivery,
    concurrency: 10,
    // A user whose endpoints are slow does not hold up others.
    perUser: 3,
    timeoutSeconds: 30,
    ...attempts,
    run: deliver,
  });
  const eventJob = jobs.define({
    name: 'publish webhook',
    data: Event,
    batchSize: 20,
    run: async ({ id, userId, data: event }) => {
      if (!userId) throw new PermanentFailure('the event has no user: pass userId to publish it in database.system()');
      const endpoints = await database.system().webhookEndpoints.listFor(userId, event.type);
      // An attempt that is repeated sends the same id, by which receivers know a message again.
      const items = endpoints.map((endpoint) => ({ endpoint_id: endpoint.id, message_id: `msg_${id}`, event }));
      await deliveryJob.enqueue(database.system(), items, { userId });
      deliveryJob.wake();
    },
  });

  async function deliver({ userId, data, attempt, createdAt, signal }: RunningJob<Delivery>): Promise<void> {
    const endpoint = userId && (await database.system().webhookEndpoints.find(userId, data.endpoint_id));
    // Deleted or disabled since.
    if (!endpoint) return;
    const { type, occurred_at } = data.event;
    const body = JSON.stringify({ type, timestamp: occurred_at, data: data.event.data });
    const headers = signed(endpoint, data.message_id, body);
    try {
      const { status } = await outbound(endpoint.url, { headers, body, signal });
      if (status === gone) return await disable(endpoint, clock());
      if (status < 200 || status > 299) throw new Error(`the endpoint answered ${status}`);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt < attempts.attemptsMax) throw error;
      await disable(endpoint, createdAt);
      throw new PermanentFailure((error as Error).message, { cause: error });
    }
    await database.system().webhookEndpoints.recordDelivery(endpoint.user_id, endpoint.id, clock());
  }

  type Endpoint = NonNullable<Awaited<ReturnType<ReturnType<Database['system']>['webhookEndpoints']['find']>>>;

  function signed(endpoint: Endpoint, messageId: string, body: string): Record<string, string> {
    const now = clock();
    const timestamp = String(Math.floor(now.getTime() / 1000));
    const { previous_secret, previous_secret_until } = endpoint;
    const isPreviousValid = previous_secret && previous_secret_until && previous_secret_until > now;
    const secrets = [endpoint.secret, ...(isPreviousValid ? [previous_secret] : [])];
    const signatures = secrets.map((secret) => {
      const key = sealed.open(secret, endpoint.id);
      return `v1,${signStandardWebhook(key, messageId, timestamp, Buffer.from(body))}`;
    });
    return {
      'content-type': 'application/json',
      'user-agent': 'quoin-webhooks',
      'webhook-id': messageId,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    };
  }

  /** Disables an endpoint that accepted nothing since a time. */
  async function disable({ user_id, id, url }: Endpoint, since: Date): Promise<void> {
    await database.system().transaction(async (repositories) => {
      if (!(await repositories.webhookEndpoints.disable({ user_id, id, url }, since, clock()))) return;
      const { host } = new URL(url);
      const details = { endpoint_id: id, host };
      await repositories.auditEvents.create({ action: 'webhook_endpoint_disabled', user_id, details });
      const user = await repositories.users.find(user_id);
      if (user) await mail.send(repositories, webhookDisabledMail, user.email, { host });
    });
    mail.wake();
  }

  const publish = (
    repositories: Pick<OwnerRepositories, 'jobs'>,
    type: string,
    data: Record<string, unknown>,
    options: { userId?: string } = {},
  ) => eventJob.enqueue(repositories, [{ type, occurred_at: clock().toISOString(), data }], options);
  const ping = (repositories: Pick<OwnerRepositories, 'jobs'>, endpointId: string) => {
    const event = { type: 'ping', occurred_at: clock().toISOString(), data: { endpoint_id: endpointId } };
    return deliveryJob.enqueue(repositories, [{ endpoint_id: endpointId, message_id: `msg_${newId()}`, event }]);
  };
  const wake = () => {
    eventJob.wake();
    deliveryJob.wake();
  };
  return Object.assign(publish, { ping, wake });
}
