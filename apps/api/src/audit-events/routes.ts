import type { App } from '../schema.ts';
import { AuditEventPage, AuditEventQuery, OwnAuditEventQuery } from './schemas.ts';
import type { AuditEvents } from './service.ts';

export function auditEventRoutes(app: App, { auditEvents }: { auditEvents: AuditEvents }) {
  app.get(
    '/audit-events',
    {
      schema: {
        operationId: 'listAuditEvents',
        tags: ['audit-events'],
        summary: 'What happened to all accounts, newest first (admins)',
        querystring: AuditEventQuery,
        response: { 200: AuditEventPage },
      },
      config: { admin: true },
    },
    async ({ query }) => auditEvents.list(query),
  );

  app.get(
    '/users/me/audit-events',
    {
      schema: {
        operationId: 'listOwnAuditEvents',
        tags: ['audit-events'],
        summary: 'What happened to your account, newest first',
        description: 'Failed attempts to sign in as you are among it.',
        querystring: OwnAuditEventQuery,
        response: { 200: AuditEventPage },
      },
    },
    async ({ scope, query }) => auditEvents.listOwn(scope, query),
  );
}
