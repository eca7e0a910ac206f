import { type Insertable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { AuditAction } from '../schema/values.ts';
import type { Actor } from '../scope.ts';
import type { Context, OrganizationContext, OwnerContext } from './context.ts';
import { firstIdAt, type PageRequest, paged, timeOfId } from './page.ts';

export type NewAuditEvent = Omit<Insertable<Tables['audit_events']>, 'id' | 'created_at'>;

export interface AuditFilter {
  organization_id?: string | undefined;
  user_id?: string | undefined;
  actor_id?: string | undefined;
  action?: AuditAction | undefined;
  ip_address?: string | undefined;
  request_id?: string | undefined;
  client_request_id?: string | undefined;
  /** Inclusive. */
  since?: Date | undefined;
  /** Exclusive. */
  until?: Date | undefined;
}

const columns = [
  'id',
  'action',
  'user_id',
  'actor_id',
  'organization_id',
  'session_id',
  'ip_address',
  'user_agent',
  'request_id',
  'client_request_id',
  'details',
  'created_at',
] as const;
const filters = [
  'organization_id',
  'user_id',
  'actor_id',
  'action',
  'ip_address',
  'request_id',
  'client_request_id',
] as const;

/** The audit trail. Triggers refuse everything but inserts, and what `removePersonalData` does. */
export const auditEvents = ({ db }: Context) => ({
  create: (event: NewAuditEvent) => {
    const id = newId();
    return db
      .insertInto('audit_events')
      .values({ id, created_at: timeOfId(id), ...event })
      .execute();
  },

  /** Newest first. Times are compared as ids, which begin with the time, so that one index gives the order and the range. */
  list: ({ since, until, ...filter }: AuditFilter & PageRequest) => {
    let query = db.selectFrom('audit_events').select(columns);
    for (const column of filters) {
      const value = filter[column];
      if (value !== undefined) query = query.where(column, '=', value as never);
    }
    if (since !== undefined) query = query.where('id', '>=', firstIdAt(since));
    if (until !== undefined) query = query.where('id', '<', firstIdAt(until));
    return paged(query, filter).execute();
  },

  /** Creates the partitions of this month and the next two. Resolves to the number of new ones. */
  createPartitions: async () => {
    const { rows } = await sql<{ count: number }>`select quoin_create_audit_partitions() as count`.execute(db);
    return rows[0]?.count ?? 0;
  },

  /** Drops the partitions whose events are all this old, at least 30 days. Resolves to their number. */
  dropPartitions: async (days: number) => {
    const { rows } = await sql<{ count: number }>`
      select quoin_drop_audit_partitions(make_interval(days => ${days})) as count`.execute(db);
    return rows[0]?.count ?? 0;
  },

  /** Removes address and agent of up to `limit` events from before a time, at least 30 days ago. Resolves to their number. */
  removePersonalData: async (before: Date, limit: number) => {
    const { numUpdatedRows } = await db
      .updateTable('audit_events')
      .set({ ip_address: null, user_agent: null })
      .where('id', 'in', (inner) =>
        inner
          .selectFrom('audit_events')
          .select('id')
          .where(({ or }) => or([sql<boolean>`ip_address is not null`, sql<boolean>`user_agent is not null`]))
          .where('id', '<', firstIdAt(before))
          // As the trigger that allows it: by the clock of the database, and by the time of the event.
          .where('created_at', '<', sql<Date>`now() - interval '30 days'`)
          .orderBy('id')
          .limit(limit),
      )
      .executeTakeFirstOrThrow();
    return Number(numUpdatedRows);
  },
});

function actorOf(actor: Actor, details: Record<string, unknown> | undefined) {
  if (actor.via === 'job') return { actor_id: null, details };
  if (actor.via === 'session') return { actor_id: actor.userId, session_id: actor.sessionId, details };
  return { actor_id: actor.userId, details: { ...details, api_key_id: actor.apiKeyId } };
}

/** Audit events about the owner. */
export const ownAuditEvents = ({ scope, ...context }: OwnerContext) => {
  const all = auditEvents(context);
  return {
    /** Records what the actor of the scope did. */
    create: ({ details, ...event }: Omit<NewAuditEvent, 'user_id' | 'actor_id'>) =>
      all.create({
        user_id: scope.owner.userId,
        ...actorOf(scope.actor, details),
        ...event,
      }),

    list: (filter: Omit<AuditFilter, 'user_id'> & PageRequest) => all.list({ ...filter, user_id: scope.owner.userId }),
  };
};

/** Audit events about the organization. Its owners and admins read them. */
export const organizationEvents = ({ scope, ...context }: OrganizationContext) => {
  const all = auditEvents(context);
  const { organizationId } = scope.owner;
  return {
    /** Records what the actor of the scope did. @param event `user_id` is the member whom it concerns, if any */
    create: ({ details, ...event }: Omit<NewAuditEvent, 'organization_id' | 'actor_id'>) =>
      all.create({ organization_id: organizationId, ...actorOf(scope.actor, details), ...event }),

    list: (filter: Omit<AuditFilter, 'organization_id'> & PageRequest) =>
      all.list({ ...filter, organization_id: organizationId }),
  };
};
