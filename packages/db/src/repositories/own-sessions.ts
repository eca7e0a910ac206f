import { sql } from 'kysely';
import type { RevokedReason } from '../schema/values.ts';
import type { OwnerContext } from './context.ts';
import { type Alive, isAlive, revoke, userSessions } from './user-sessions.ts';

const listMax = 500;

/** Sessions of the owner. */
export const ownSessions = ({ scope, ...context }: OwnerContext) => {
  const { userId } = scope.owner;
  const { lockUnrevoked, revokeAllOf } = userSessions(context);
  return {
    /** Returns the newest 500 sessions that are alive. */
    listAlive: (alive: Alive) =>
      context.db
        .selectFrom('user_sessions')
        .select(['id', 'user_agent', 'ip_address', 'methods', 'created_at', 'last_used_at', 'expires_at'])
        .select(sql<Date>`coalesce(authenticated_at, created_at)`.as('authenticated_at'))
        .where('user_id', '=', userId)
        .where(isAlive(alive))
        .orderBy('id', 'desc')
        .limit(listMax)
        .execute(),

    /** Same as for all sessions: whether this session is not revoked. Locks its row. */
    lockUnrevoked: (sessionId: string) => lockUnrevoked({ userId, sessionId }),

    /** Resolves to whether the session existed and was not revoked before. */
    revoke: async (id: string, reason: RevokedReason, now: Date) => {
      const { numUpdatedRows } = await revoke(context, reason, now)
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    /** Revokes all sessions, or all but one. */
    revokeAll: (reason: RevokedReason, now: Date, options?: { except?: string | undefined }) =>
      revokeAllOf(userId, reason, now, options),
  };
};
