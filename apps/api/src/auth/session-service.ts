import { type Database, requireSession, type Scope, type SessionKey } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { type Client, noClient } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { found, notFound } from '../http/errors.ts';
import { aliveAt } from './alive.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'sessionInactivitySeconds'>;
  clock: () => Date;
}

const dayMs = 86_400_000;
/** For investigations, expired sessions stay in the table for a week, and revoked ones for a day: there are many more of them. */
const keptMs = { expires_at: 7 * dayMs, revoked_at: dayMs };
const revokedPerBatch = 5_000;
const nil = '00000000-0000-0000-0000-000000000000';

/** Lists and ends sessions. */
export function createSessions({ database, config, clock }: Dependencies) {
  return {
    list: async (scope: Scope) => {
      const sessions = await database.as(scope).userSessions.listAlive(aliveAt(clock(), config));
      return {
        items: sessions.map((session) => ({ ...session, current: session.id === requireSession(scope).sessionId })),
      };
    },

    /** @throws Problem `not_found` for another user's session, and for a session that has ended */
    end: (scope: Scope, id: string, client: Client) =>
      database.as(scope).transaction(async ({ userSessions, auditEvents }) => {
        if (!(await userSessions.revoke(id, 'ended_by_user', clock()))) throw notFound();
        await auditEvents.create({ action: 'session_ended', session_id: id, ...client });
      }),

    /** For admins. @throws Problem `not_found` if the user does not exist */
    endAllOf: (scope: Scope, userId: string, client: Client) =>
      database.system(scope).transaction(async ({ users, userSessions, auditEvents }) => {
        found(await users.find(userId));
        await userSessions.revokeAllOf(userId, 'ended_by_admin', clock());
        const { userId: actor_id, sessionId: session_id } = requireSession(scope);
        await auditEvents.create({ action: 'sessions_ended', user_id: userId, actor_id, session_id, ...client });
      }),

    /** Ends the sessions of all users, in batches, for the operator of a server whose secrets leaked. Resolves to their number. */
    endAll: async (): Promise<number> => {
      let total = 0;
      for (let after: SessionKey | undefined = { userId: nil, sessionId: nil }; after; ) {
        const from: SessionKey = after;
        const { revoked, last } = await database
          .system()
          .transaction(({ userSessions }) =>
            userSessions.revokeNext(from, revokedPerBatch, 'ended_by_operator', clock()),
          );
        total += revoked;
        after = last;
      }
      const event = { action: 'sessions_ended', user_id: null, details: { sessions: total } } as const;
      await database.system().auditEvents.create({ ...event, ...noClient });
      return total;
    },

    /** Deletes the sessions that expired a week ago or were revoked a day ago. Resolves to their number. */
    deleteEnded: async () => {
      let total = 0;
      for (const column of ['expires_at', 'revoked_at'] as const) {
        const before = new Date(clock().getTime() - keptMs[column]);
        total += await deleteAll((limit) => database.system().userSessions.deleteEnded(column, before, limit));
      }
      return total;
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;
