import type { Context } from './context.ts';
import { deleteOld } from './delete-old.ts';

/** Webhooks that were received. */
export const incomingWebhooks = ({ db }: Context) => ({
  /** Resolves to whether the message is new. Of concurrent calls with the same message, one gets true. */
  record: async (source: string, message_id: string, received_at: Date): Promise<boolean> => {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('incoming_webhooks')
      .values({ source, message_id, received_at })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    return (numInsertedOrUpdatedRows ?? 0n) > 0n;
  },

  /** Deletes at most `limit` old messages. Resolves to their number. */
  deleteOld: (before: Date, limit: number) =>
    deleteOld(db, { table: 'incoming_webhooks', key: ['source', 'message_id'], column: 'received_at' }, before, limit),
});
