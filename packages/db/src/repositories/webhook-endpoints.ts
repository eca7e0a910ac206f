import { sql } from 'kysely';
import type { Context, OwnerContext } from './context.ts';

const columns = ['id', 'user_id', 'url', 'event_types', 'disabled_at', 'created_at'] as const;
const secrets = ['secret', 'previous_secret', 'previous_secret_until'] as const;

export interface WebhookEndpointChanges {
  url?: string | undefined;
  event_types?: string[] | undefined;
  disabled_at?: Date | null | undefined;
  delivered_at?: Date | undefined;
  secret?: Uint8Array | undefined;
  previous_secret?: Uint8Array | null | undefined;
  previous_secret_until?: Date | null | undefined;
}

/** Webhook endpoints of all users, for the jobs that deliver. */
export const webhookEndpoints = ({ db }: Context) => ({
  /** Returns an endpoint with its secrets, if it is enabled. */
  find: (userId: string, id: string) =>
    db
      .selectFrom('webhook_endpoints')
      .select([...columns, ...secrets])
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .where('disabled_at', 'is', null)
      .executeTakeFirst(),

  /** Returns the enabled endpoints of a user that take events of this type. */
  listFor: (userId: string, eventType: string) =>
    db
      .selectFrom('webhook_endpoints')
      .select('id')
      .where('user_id', '=', userId)
      .where('disabled_at', 'is', null)
      .where(sql<boolean>`event_types = '{}' or ${eventType} = any (event_types)`)
      .orderBy('id')
      .execute(),

  /** Records that an event was accepted, at most once a minute. */
  recordDelivery: (userId: string, id: string, now: Date) =>
    db
      .updateTable('webhook_endpoints')
      .set({ delivered_at: now })
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .where(sql<boolean>`delivered_at is null or delivered_at < ${now}::timestamptz - interval '1 minute'`)
      .execute(),

  /** Disables an endpoint that still has this URL and accepted nothing since a time. Resolves to whether it was enabled. */
  disable: async (
    { user_id, id, url }: { user_id: string; id: string; url: string },
    since: Date,
    now: Date,
  ): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('webhook_endpoints')
      .set({ disabled_at: now })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .where('url', '=', url)
      .where('disabled_at', 'is', null)
      // Deliveries are recorded once a minute.
      .where(sql<boolean>`(delivered_at is null or delivered_at < ${since}::timestamptz - interval '1 minute')`)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Returns endpoints of all users in the order of their ids, for resealing. */
  listSecrets: (after: string, limit: number) =>
    db
      .selectFrom('webhook_endpoints')
      .select(['user_id', 'id', 'secret', 'previous_secret'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit)
      .execute(),

  /** Replaces a secret that is still this one. */
  reseal: (
    { user_id, id }: { user_id: string; id: string },
    column: 'secret' | 'previous_secret',
    before: Uint8Array,
    after: Uint8Array,
  ) =>
    db
      .updateTable('webhook_endpoints')
      .set({ [column]: after })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .where(column, '=', before)
      .execute(),
});

/** The webhook endpoints of the owner. */
export const ownWebhookEndpoints = ({ db, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    list: () =>
      db.selectFrom('webhook_endpoints').select(columns).where('user_id', '=', userId).orderBy('id', 'desc').execute(),

    find: (id: string) =>
      db
        .selectFrom('webhook_endpoints')
        .select([...columns, ...secrets])
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .executeTakeFirst(),

    create: (endpoint: { id: string; url: string; event_types: string[]; secret: Uint8Array; created_at: Date }) =>
      db
        .insertInto('webhook_endpoints')
        .values({ user_id: userId, ...endpoint })
        .returning(columns)
        .executeTakeFirstOrThrow(),

    update: (id: string, changes: WebhookEndpointChanges) =>
      db
        .updateTable('webhook_endpoints')
        .set(changes)
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .returning(columns)
        .executeTakeFirst(),

    delete: async (id: string): Promise<boolean> => {
      const { numDeletedRows } = await db
        .deleteFrom('webhook_endpoints')
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
};
