import type { Database } from '@quoin/db';
import { WebhookMessage } from '../../incoming-webhooks/incoming.ts';
import type { JobKind } from '../../queue/job.ts';
import type { Jobs } from '../../queue/jobs.ts';

/** What the payment service says about a payment: `{"type": "payment.succeeded", "data": {"user_id", "order_id", "amount"}}`. */
interface Payment {
  type: string;
  data: { user_id: string; order_id: string; amount: string };
}

/** Defines the job "handle payment": an order becomes paid when its whole total is. */
export function defineHandlePayment({
  database,
  jobs,
}: {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
}): JobKind<WebhookMessage> {
  return jobs.define({
    name: 'handle payment',
    data: WebhookMessage,
    run: async ({ data }) => {
      const { type, data: payment } = data.message as unknown as Payment;
      if (type !== 'payment.succeeded') return;
      await database.system().checkout.pay(payment.user_id, payment.order_id, payment.amount);
    },
  });
}
