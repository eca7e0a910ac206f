import type { Database, Scope } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { type Client, noClient } from '../http/client.ts';
import { found, notFound } from '../http/errors.ts';
import { byOneself } from './owner.ts';
import { aliveAt } from './session-lifetime.ts';

interface Dependencies {
  database: Database;
  config: Pick<Config, 'sessionInactivitySeconds'>;
  clock: () => Date;
}

/** How long an expired session stays in the table, for questions about it. */
const keptMs = 7 * 86_400_000;
const deletedAtOnce = 1_000;
const endedAtOnce = 5_000;
const smallestId = '00000000-0000-0000-0000-000000000000';

/** Where a user is signed in, and how to end it. */
export function createSessions({ database, config, clock }: Dependencies) {
  return {
    list: async (scope: Scope) => {
      const alive = aliveAt(clock(), config);
      const sessions = await database.as(scope, ({ userSessions }) => userSessions.listAlive(scope.userId, alive), {
        single: 'read',
      });
      return { items: sessions.map((session) => ({ ...session, current: session.id === scope.sessionId })) };
    },

    /** @throws Problem `not_found`, for somebody else's and for one that has been ended as well */
    end: (scope: Scope, id: string, client: Client) =>
      database.as(scope, async ({ userSessions, auditEvents }) => {
        if (!(await userSessions.revoke(id, 'ended_by_user', clock()))) throw notFound();
        await auditEvents.create({ action: 'session_ended', ...byOneself(scope), session_id: id, ...client });
      }),

    /** For admins. @throws Problem `not_found` where there is no such user */
    endAllOf: (scope: Scope, userId: string, client: Client) =>
      database.system(async ({ users, userSessions, auditEvents }) => {
        found(await users.findById(userId));
        await userSessions.revokeAll(userId, 'ended_by_admin', clock());
        await auditEvents.create({ action: 'sessions_ended', ...byOneself(scope), user_id: userId, ...client });
      }),

    /** Ends the sessions of all users, in batches. Resolves to how many were alive. For the operator, after `SECRET_KEY` or the table has leaked. */
    endAll: async (): Promise<number> => {
      let total = 0;
      for (let after: string | undefined = smallestId; after !== undefined; ) {
        const from: string = after;
        const { ended, last } = await database.system(({ userSessions }) =>
          userSessions.revokeNext(from, endedAtOnce, 'ended_by_operator', clock()),
        );
        total += ended;
        after = last;
      }
      const event = { action: 'sessions_ended', user_id: null, details: { sessions: total } } as const;
      await database.system(({ auditEvents }) => auditEvents.create({ ...event, ...noClient }));
      return total;
    },

    /** Deletes the sessions that expired a week ago. Resolves to how many. */
    deleteExpired: async () => {
      const before = new Date(clock().getTime() - keptMs);
      let total = 0;
      for (let deleted = deletedAtOnce; deleted === deletedAtOnce; total += deleted) {
        deleted = await database.system(({ userSessions }) => userSessions.deleteExpired(before, deletedAtOnce));
      }
      return total;
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;
