import { defineEntity, p } from '@mikro-orm/core';
import { appPolicy, currentOrganization, id, ownedBy, timestamp } from './columns.ts';
import type { AuditAction } from './values.ts';

// No foreign keys: events outlive the accounts that they are about.

export const AuditEventSchema = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_events',
  comment:
    'Audit trail of accounts, in monthly partitions. Append-only: triggers refuse to change or delete rows, except that addresses and agents of old events can be removed.',
  properties: {
    id: id(),
    action: p.string().$type<AuditAction>().length(50).comment('What happened: signed_in, password_changed, …'),
    user_id: p.uuid().nullable().comment('Id of the account that the event concerns; null if no account matched.'),
    actor_id: p.uuid().nullable().comment('The user who acted; null for a command and for an anonymous client.'),
    organization_id: p.uuid().nullable().comment('Id of the organization that the event concerns, if any.'),
    session_id: p.uuid().nullable().comment('The session in which the actor acted, or that was ended.'),
    ip_address: p.string().columnType('inet').nullable().comment('Client address of the request.'),
    user_agent: p.string().length(255).nullable().comment('User-Agent of the request, cut to 255 characters.'),
    request_id: p.string().length(128).nullable().comment('Request id that the server assigned; null for a command.'),
    client_request_id: p.string().length(128).nullable().comment('X-Request-Id that the client sent.'),
    details: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment('More facts, by action. Never a secret.'),
    created_at: timestamp().comment('When it happened: the time in the id.'),
  },
  // What admins filter by. An action alone needs a period.
  indexes: [
    { name: 'idx_audit_events_user_id', properties: ['user_id', 'id'] },
    { name: 'idx_audit_events_actor_id', properties: ['actor_id', 'id'] },
    { name: 'idx_audit_events_ip_address', properties: ['ip_address', 'id'] },
    {
      // The events whose personal data is still there.
      name: 'idx_audit_events_personal',
      expression:
        'create index "idx_audit_events_personal" on "audit_events" ("id") where ip_address is not null or user_agent is not null',
    },
    {
      name: 'idx_audit_events_organization_id',
      expression:
        'create index "idx_audit_events_organization_id" on "audit_events" ("organization_id", "id") where organization_id is not null',
    },
    { name: 'idx_audit_events_request_id', properties: ['request_id'] },
    {
      name: 'idx_audit_events_client_request_id',
      expression:
        'create index "idx_audit_events_client_request_id" on "audit_events" ("client_request_id", "id") where client_request_id is not null',
    },
  ],
  triggers: [
    {
      name: 'refuse_change',
      timing: 'before',
      events: ['delete'],
      forEach: 'statement',
      body: `raise exception 'audit_events is append-only';`,
    },
    {
      name: 'refuse_update',
      timing: 'before',
      events: ['update'],
      forEach: 'row',
      body: `if old.created_at < now() - interval '30 days' then old.ip_address = null; old.user_agent = null; if new is not distinct from old then return new; end if; end if; raise exception 'audit_events is append-only';`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    ...ownedBy('audit_events', 'user_id').policies,
    appPolicy('audit_events', 'admins', {
      command: 'select',
      using: `organization_id = ${currentOrganization} and (select quoin_organization_role()) in ('owner', 'admin')`,
    }),
    appPolicy('audit_events', 'members', { command: 'insert', check: `organization_id = ${currentOrganization}` }),
  ],
});
