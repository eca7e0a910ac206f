import { defineEntity, p } from '@mikro-orm/core';
import type { AuditAction } from '../repositories/audit-events.ts';
import { id, ownerPolicy, systemPolicy } from './columns.ts';

// No foreign keys: what happened stays, whoever is deleted.

export const AuditEventSchema = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_events',
  comment: 'What happened to accounts, and who did it. Append-only: no row is changed or deleted.',
  properties: {
    id: id(),
    action: p.string().$type<AuditAction>().length(50).comment('What happened: signed_in, password_changed, …'),
    user_id: p.uuid().nullable().comment('To whose account; null where there is no such account.'),
    actor_id: p.uuid().nullable().comment('Who did it, where they were signed in or had just proven who they are.'),
    session_id: p.uuid().nullable().comment('The session that it was done in, or done to.'),
    ip_address: p.string().columnType('inet').nullable().comment('Where the request came from.'),
    user_agent: p.string().length(255).nullable().comment('What the client called itself, cut to 255.'),
    request_id: p.string().length(128).nullable().comment('The server’s own id of the request; null from a command.'),
    client_request_id: p.string().length(128).nullable().comment('The X-Request-Id that the caller sent.'),
    details: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment('More about it, by action. Never a secret.'),
    created_at: p.datetime().columnType('timestamptz').comment('When it happened: the time in its id.'),
  },
  indexes: [{ name: 'idx_audit_events_user_id', properties: ['user_id', 'id'] }],
  triggers: [
    {
      name: 'refuse_change',
      timing: 'before',
      events: ['update', 'delete'],
      forEach: 'statement',
      body: `raise exception 'audit_events is append-only';`,
    },
  ],
  policies: [ownerPolicy('audit_events', 'user_id'), systemPolicy('audit_events')],
});
