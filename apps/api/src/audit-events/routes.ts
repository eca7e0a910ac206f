import type { App } from '../http/schema.ts';
import { AuditEventPage, AuditEventQuery, OwnAuditEventQuery } from './schemas.ts';
import type { AuditEvents } from './service.ts';

export function auditEventRoutes(app: App, { auditEvents }: { auditEvents: AuditEvents }) {
  app.get(
    '/audit-events',
    {
      schema: {
        operationId: 'listAuditEvents',
        tags: ['audit-events'],
        summary: 'List audit events of all accounts, newest first (admins)',
        description: 'To filter by `action` alone, send `since` too.',
        querystring: AuditEventQuery,
        response: { 200: AuditEventPage },
      },
      config: { admin: true, problems: ['query_too_expensive'], concurrency: { name: 'admin lists', perUser: 2 } },
    },
    async ({ query }) => auditEvents.list(query),
  );

  app.get(
    '/users/me/audit-events',
    {
      schema: {
        operationId: 'listOwnAuditEvents',
        tags: ['audit-events'],
        summary: 'List audit events of your account, newest first',
        description: 'Includes failed attempts to sign in to your account.',
        querystring: OwnAuditEventQuery,
        response: { 200: AuditEventPage },
      },
      config: { requiredScope: 'audit-events:read' },
    },
    async ({ scope, query }) => auditEvents.listOwn(scope, query),
  );
}
