import type { Database, Scope } from '@quoin/db';
import { adminListMsMax, invalidQuery, pageFrom, pageRequest } from '../http/page.ts';
import type { AuditEventQuery, OwnAuditEventQuery } from './schemas.ts';

/** Reads the audit trail. The services that change an account record the events in the same transaction. */
export function createAuditEvents({ database }: { database: Database }) {
  return {
    /** For admins: the events of all accounts. */
    list: async (query: AuditEventQuery) => {
      const page = pageRequest('audit events', query);
      const { user_id, actor_id, action, ip_address, request_id, client_request_id } = query;
      const filter = { user_id, actor_id, action, ip_address, request_id, client_request_id, ...periodOf(query) };
      const isSelective = user_id ?? actor_id ?? ip_address ?? request_id ?? client_request_id;
      if (action && !isSelective && !query.since)
        throw invalidQuery(
          '/since',
          'is required to filter by action alone, because no index has the events of an action',
        );
      const rows = await database.replica
        .system()
        .transaction(({ auditEvents }) => auditEvents.list({ ...page, ...filter }), { statementMsMax: adminListMsMax });
      return pageFrom('audit events', rows, page);
    },

    /** The events about the caller. If an admin acted, hides where the admin acted from. */
    listOwn: async (scope: Scope, query: OwnAuditEventQuery) => {
      const page = pageRequest('own audit events', query);
      const rows = await database.replica
        .as(scope)
        .auditEvents.list({ ...page, action: query.action, ...periodOf(query) });
      const own = rows.map((row) =>
        row.actor_id === null || row.actor_id === scope.actor.userId
          ? row
          : { ...row, session_id: null, ip_address: null, user_agent: null, request_id: null, client_request_id: null },
      );
      return pageFrom('own audit events', own, page);
    },
  };
}

export type AuditEvents = ReturnType<typeof createAuditEvents>;

const periodOf = ({ since, until }: OwnAuditEventQuery) => ({
  since: since === undefined ? undefined : new Date(since),
  until: until === undefined ? undefined : new Date(until),
});
