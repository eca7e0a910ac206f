import type { Insertable, Kysely } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';
import { firstIdAt, type PageRequest, paged, timeOfId } from './page.ts';

/** What is recorded. docs/security.md says when, and what `details` then has. */
export const auditActions = [
  'account_created',
  'account_changed',
  'account_deleted',
  'audit_events_pruned',
  'email_changed',
  'email_verified',
  'password_changed',
  'password_reset',
  'password_reset_requested',
  'password_voided',
  'reauthentication_failed',
  'refresh_token_reused',
  'refresh_token_stolen',
  'session_ended',
  'sessions_ended',
  'sign_in_failed',
  'signed_in',
  'signed_out',
  'username_changed',
] as const;
export type AuditAction = (typeof auditActions)[number];

export type NewAuditEvent = Omit<Insertable<Tables['audit_events']>, 'id' | 'created_at' | 'details'> & {
  details?: Record<string, unknown>;
};

export interface AuditFilter {
  user_id?: string | undefined;
  actor_id?: string | undefined;
  action?: AuditAction | undefined;
  ip_address?: string | undefined;
  request_id?: string | undefined;
  client_request_id?: string | undefined;
  /** From this moment on, and before that one. */
  since?: Date | undefined;
  until?: Date | undefined;
}

const columns = [
  'id',
  'action',
  'user_id',
  'actor_id',
  'session_id',
  'ip_address',
  'user_agent',
  'request_id',
  'client_request_id',
  'details',
  'created_at',
] as const;

/** What happened to accounts. Only ever added to: a trigger refuses everything else. */
export const auditEvents = (db: Kysely<Tables>) => ({
  create: ({ details = {}, ...event }: NewAuditEvent) => {
    const id = v7();
    return db
      .insertInto('audit_events')
      .values({ id, created_at: timeOfId(id), details, ...event })
      .execute();
  },

  /** Newest first. Moments are compared by the ids, which have them in front: one index gives the order and the range. */
  list: ({ since, until, ...filter }: AuditFilter & PageRequest) => {
    const { limit, after, skip, ...equal } = filter;
    let query = db.selectFrom('audit_events').select(columns);
    for (const column of ['user_id', 'actor_id', 'action', 'ip_address', 'request_id', 'client_request_id'] as const) {
      const value = equal[column];
      if (value !== undefined) query = query.where(column, '=', value as never);
    }
    if (since !== undefined) query = query.where('id', '>=', firstIdAt(since));
    if (until !== undefined) query = query.where('id', '<', firstIdAt(until));
    return paged(query, { limit, after, skip }).execute();
  },
});
