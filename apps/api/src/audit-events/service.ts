import type { Database, Scope } from '@quoin/db';
import type { Pages } from '../http/page.ts';
import type { AuditEventQuery, OwnAuditEventQuery } from './schemas.ts';

/** What happened to accounts. Whoever changes one records it, in the same transaction; here it is read. */
export function createAuditEvents({ database, pages }: { database: Database; pages: Pages }) {
  return {
    /** For admins: everybody's. */
    list: async (query: AuditEventQuery) => {
      const page = pages.request('audit events', query);
      const { user_id, actor_id, action, ip_address, request_id, client_request_id } = query;
      const filter = { user_id, actor_id, action, ip_address, request_id, client_request_id, ...between(query) };
      const rows = await database.system(({ auditEvents }) => auditEvents.list({ ...page, ...filter }), {
        single: 'read',
      });
      return pages.from('audit events', rows, page);
    },

    /** One's own. Where an admin was at work, it says so, and not from where. */
    listOwn: async (scope: Scope, query: OwnAuditEventQuery) => {
      const page = pages.request('own audit events', query);
      const filter = { user_id: scope.userId, action: query.action, ...between(query) };
      const rows = await database.as(scope, ({ auditEvents }) => auditEvents.list({ ...page, ...filter }), {
        single: 'read',
      });
      const own = rows.map((row) =>
        row.actor_id === null || row.actor_id === scope.userId
          ? row
          : { ...row, session_id: null, ip_address: null, user_agent: null, request_id: null, client_request_id: null },
      );
      return pages.from('own audit events', own, page);
    },
  };
}

export type AuditEvents = ReturnType<typeof createAuditEvents>;

const between = ({ since, until }: OwnAuditEventQuery) => ({
  since: since === undefined ? undefined : new Date(since),
  until: until === undefined ? undefined : new Date(until),
});
