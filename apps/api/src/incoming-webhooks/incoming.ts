import type { Database } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { deleteAll } from '../http/delete-all.ts';
import { Problem } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import type { JobKind } from '../queue/job.ts';
import type { VerifySignature } from './signature.ts';

/** What a job that handles a webhook works on: the body as the sender sent it. */
export const WebhookMessage = Type.Object({
  message_id: Type.String(),
  message: Type.Record(Type.String(), Type.Unknown()),
});
export type WebhookMessage = Static<typeof WebhookMessage>;

interface IncomingWebhook {
  /** Who sends, in the path and in the table: `stripe`. */
  source: string;
  verify: VerifySignature;
  /** Handles a message. */
  job: JobKind<WebhookMessage>;
}

/** Senders try again for up to three days (Stripe), so older messages do not come again. */
const keptMs = 30 * 86_400_000;
const messageIdLengthMax = 255;

/**
 * Adds `POST /webhooks/SOURCE` for webhooks of another service. Answers 202 when the message is stored, and leaves the work to a job, because senders wait only for seconds. A
 * message that comes again is answered in the same way and handled once.
 */
export function incomingWebhookRoute(
  app: App,
  { database, clock }: { database: Database; clock: () => Date },
  { source, verify, job }: IncomingWebhook,
): void {
  app.post(
    `/webhooks/${source}`,
    {
      schema: { hide: true, body: WebhookBody, response: { 202: Type.Null() } },
      config: {
        public: true,
        keepsRawBody: true,
        // Only messages with a wrong signature, because others have the address of the real sender.
        throttle: { name: 'webhooks', address: { burst: 600, perMinute: 600 }, countsFailures: true },
      },
    },
    async ({ headers, rawBody = Buffer.alloc(0), body }) => {
      const message_id = verify({ headers, body: rawBody, now: clock() });
      if (message_id === undefined || message_id.length > messageIdLengthMax)
        throw new Problem('invalid_credentials', 'The signature of the webhook is missing, wrong or too old.');
      await database.system().transaction(async (repositories) => {
        if (await repositories.incomingWebhooks.record(source, message_id, clock()))
          await job.enqueue(repositories, [{ message_id, message: body }]);
      });
      job.wake();
    },
  );
}

const WebhookBody = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true });

/** Deletes messages that do not come again. Resolves to their number. */
export const deleteOldWebhooks = (database: Database, clock: () => Date): Promise<number> =>
  deleteAll((limit) => database.system().incomingWebhooks.deleteOld(new Date(clock().getTime() - keptMs), limit));
