import { type Insertable, type Kysely, sql } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../tables.ts';
import { compiledOnce } from './compiled-once.ts';
import { userColumns } from './users.ts';

export type NewUserSession = Pick<
  Insertable<Tables['user_sessions']>,
  'user_id' | 'token_secret' | 'user_agent' | 'ip_address' | 'created_at' | 'last_used_at' | 'expires_at'
>;

/** When a session counts as alive: not revoked, not expired, and used since `idleSince`. */
export interface Alive {
  now: Date;
  idleSince: Date;
}

/** What a refresh token says. */
export interface SealedGeneration {
  sessionId: string;
  generation: number;
  /** The first 16 bytes of SHA-256(token_secret | id | generation). */
  seal: Uint8Array;
}

export type RevokedReason =
  | 'logout'
  | 'logout_all'
  | 'ended_by_user'
  | 'ended_by_admin'
  | 'theft'
  | 'password_changed'
  | 'email_verified'
  | 'deactivated';

const findAlive = compiledOnce((db, ids: readonly string[], now: Date, idleSince: Date) =>
  db
    .selectFrom('user_sessions')
    .innerJoin('users', 'users.id', 'user_sessions.user_id')
    .select(userColumns)
    .select(['user_sessions.id as session_id', 'user_sessions.last_used_at'])
    .where('user_sessions.id', '=', sql<string>`any(${ids}::uuid[])`)
    .where('user_sessions.revoked_at', 'is', null)
    .where('user_sessions.expires_at', '>', now)
    .where('user_sessions.last_used_at', '>', idleSince)
    .where('users.is_active', '=', true),
);

const findForRefresh = compiledOnce((db, id: string) =>
  db
    .selectFrom('user_sessions')
    .innerJoin('users', 'users.id', 'user_sessions.user_id')
    .select([
      'user_sessions.id',
      'user_sessions.user_id',
      'user_sessions.token_secret',
      'user_sessions.generation',
      'user_sessions.rotated_at',
      'user_sessions.last_used_at',
      'user_sessions.expires_at',
      'user_sessions.revoked_at',
    ])
    .where('user_sessions.id', '=', id)
    .where('users.is_active', '=', true),
);

const rotate = compiledOnce((db, id: string, generation: number, seal: Uint8Array, now: Date, idleSince: Date) =>
  db
    .updateTable('user_sessions')
    .from('users')
    .set({ generation: sql<number>`generation + 1`, rotated_at: now, last_used_at: now })
    .where('user_sessions.id', '=', id)
    .where('generation', '=', generation)
    .where(
      sql`substring(sha256(token_secret || uuid_send(user_sessions.id) || int4send(generation)) for 16)`,
      '=',
      seal,
    )
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .where('last_used_at', '>', idleSince)
    .whereRef('users.id', '=', 'user_id')
    .where('users.is_active', '=', true)
    .returning(['user_sessions.id', 'user_id', 'generation', 'token_secret']),
);

/** Sessions: one per sign-in. */
export const userSessions = (db: Kysely<Tables>) => {
  const revoke = (reason: RevokedReason, now: Date) =>
    db.updateTable('user_sessions').set({ revoked_at: now, revoked_reason: reason }).where('revoked_at', 'is', null);

  return {
    /** Resolves to the id of the new session. */
    create: async (session: NewUserSession) => {
      const id = v7();
      await db
        .insertInto('user_sessions')
        .values({ id, ...session })
        .execute();
      return id;
    },

    /** Those of the sessions that are alive, each with its user, who is active. The read that every request makes. */
    findAlive: (ids: readonly string[], { now, idleSince }: Alive) => findAlive(db, ids, now, idleSince),

    /** What is needed to judge a refresh token; undefined also where the user is not active. */
    findForRefresh: async (id: string) => (await findForRefresh(db, id))[0],

    /**
     * Moves the session of this refresh token to the next generation. One statement: of any number at once, the one that finds the
     * generation still there gets it, and the others get undefined; and so does whoever has not the seal of the session, or is not active.
     */
    rotate: async ({ sessionId, generation, seal }: SealedGeneration, { now, idleSince }: Alive) =>
      (await rotate(db, sessionId, generation, seal, now, idleSince))[0],

    /** A user's sessions that are alive, the newest first. */
    listAlive: (userId: string, { now, idleSince }: Alive) =>
      db
        .selectFrom('user_sessions')
        .select(['id', 'user_agent', 'ip_address', 'created_at', 'last_used_at', 'expires_at'])
        .where('user_id', '=', userId)
        .where('revoked_at', 'is', null)
        .where('expires_at', '>', now)
        .where('last_used_at', '>', idleSince)
        .orderBy('id', 'desc')
        .execute(),

    /** Ends the session. Resolves to whether there was one that had not been ended before. */
    revoke: async (id: string, reason: RevokedReason, now: Date) => {
      const { numUpdatedRows } = await revoke(reason, now).where('id', '=', id).executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    /**
     * Deletes at most `limit` sessions that expired before `before`, and resolves to how many. Any number of processes can do this at
     * once: each passes over the rows that another one has taken.
     */
    deleteExpired: async (before: Date, limit: number) => {
      const { numDeletedRows } = await db
        .deleteFrom('user_sessions')
        .where('id', 'in', (inner) =>
          inner
            .selectFrom('user_sessions')
            .select('id')
            .where('expires_at', '<', before)
            .orderBy('expires_at')
            .limit(limit)
            .forUpdate()
            .skipLocked(),
        )
        .executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    },

    /**
     * Ends the session if a token of this generation is stolen goods: older than the previous one, or the previous one after
     * `graceSince`. Judged by the row as it is under its lock, so that no refresh in between can be mistaken for a theft.
     */
    revokeStolen: async (id: string, generation: number, graceSince: Date, now: Date) => {
      const { numUpdatedRows } = await revoke('theft', now)
        .where('id', '=', id)
        .where((where) =>
          where.or([
            where('generation', '>', generation + 1),
            where.and([where('generation', '=', generation + 1), where('rotated_at', '<', graceSince)]),
          ]),
        )
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    /** Ends all sessions of a user, or all but one. */
    revokeAll: (userId: string, reason: RevokedReason, now: Date, { except }: { except?: string | undefined } = {}) => {
      const query = revoke(reason, now).where('user_id', '=', userId);
      return (except === undefined ? query : query.where('id', '<>', except)).execute();
    },

    /**
     * Notes that the sessions are in use. Rows that somebody else is writing are passed over: what they write is as good, and
     * nobody waits for anybody (https://github.com/laravel/sanctum/issues/207).
     */
    touch: (ids: readonly string[], now: Date) =>
      db
        .updateTable('user_sessions')
        .set({ last_used_at: now })
        .where('id', 'in', (inner) =>
          inner
            .selectFrom('user_sessions')
            .select('id')
            .where('id', '=', sql<string>`any(${ids}::uuid[])`)
            .where('last_used_at', '<', now)
            .forUpdate()
            .skipLocked(),
        )
        .execute(),
  };
};

/** A user as a request sees them: without the password's hash, and with the session that they came by. */
export type SignedInUser = Awaited<ReturnType<ReturnType<typeof userSessions>['findAlive']>>[number];
