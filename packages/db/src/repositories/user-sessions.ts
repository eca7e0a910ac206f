import { type Insertable, type Kysely, sql } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';
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

/** A refresh token as a client presents it. */
export interface PresentedToken {
  sessionId: string;
  generation: number;
  /** The first 16 bytes of SHA-256(token_secret | id | generation). */
  seal: Uint8Array;
  /** The client's User-Agent, cut to 255; empty if it sends none. */
  userAgent: string;
}

export type RevokedReason =
  | 'logout'
  | 'logout_all'
  | 'ended_by_user'
  | 'ended_by_admin'
  | 'ended_by_operator'
  | 'theft'
  | 'password_changed'
  | 'email_verified'
  | 'deactivated';

const isAlive = (now: Date, idleSince: Date) =>
  sql<boolean>`user_sessions.revoked_at is null
    and user_sessions.expires_at > ${now} and user_sessions.last_used_at > ${idleSince}`;

const findAlive = compiledOnce((db, ids: readonly string[], now: Date, idleSince: Date) =>
  db
    .selectFrom('user_sessions')
    .innerJoin('users', 'users.id', 'user_sessions.user_id')
    .select(userColumns)
    .select([
      'user_sessions.id as session_id',
      'user_sessions.created_at as authenticated_at',
      'user_sessions.last_used_at',
      'user_sessions.used_generation',
    ])
    .where('user_sessions.id', '=', sql<string>`any(${ids}::uuid[])`)
    .where(isAlive(now, idleSince))
    .where('users.is_active', '=', true),
);

const isSealOf = (seal: Uint8Array, generation: number) =>
  sql<boolean>`substring(sha256(token_secret || uuid_send(user_sessions.id) || int4send(${generation}::int)) for 16) = ${seal}`;

/** Whether the previous token still works: sent by the client that rotated it, within the window or before a token of the current one was used. */
const isGrace = (generation: number, userAgent: string, graceSince: Date | undefined) =>
  graceSince === undefined
    ? sql<boolean>`false`
    : sql<boolean>`(user_sessions.generation = ${generation}::int + 1
        and coalesce(rotated_user_agent, user_agent, '') = ${userAgent}
        and (rotated_at >= ${graceSince} or used_generation < user_sessions.generation))`;

const findUsedToken = compiledOnce(
  (
    db,
    id: string,
    generation: number,
    seal: Uint8Array,
    userAgent: string,
    now: Date,
    idleSince: Date,
    graceSince: Date | undefined,
  ) =>
    db
      .selectFrom('user_sessions')
      .innerJoin('users', 'users.id', 'user_sessions.user_id')
      .select(['user_sessions.id', 'user_id', 'generation', 'token_secret'])
      .select(isGrace(generation, userAgent, graceSince).as('is_grace'))
      .where('user_sessions.id', '=', id)
      .where('generation', '>', generation)
      .where(isSealOf(seal, generation))
      .where(isAlive(now, idleSince))
      .where('users.is_active', '=', true),
);

const rotate = compiledOnce(
  (db, id: string, generation: number, seal: Uint8Array, userAgent: string, now: Date, idleSince: Date) =>
    db
      .updateTable('user_sessions')
      .from('users')
      .set({
        generation: sql<number>`generation + 1`,
        rotated_at: now,
        rotated_user_agent: userAgent,
        last_used_at: now,
      })
      .where('user_sessions.id', '=', id)
      .where('generation', '=', generation)
      .where(isSealOf(seal, generation))
      .where(isAlive(now, idleSince))
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

    /**
     * Moves the session of this refresh token to the next generation. One statement: of any number at once, one finds the generation
     * unchanged and gets the session. The others get undefined, and so does a token with a wrong seal or of a dead session.
     */
    rotate: async ({ sessionId, generation, seal, userAgent }: PresentedToken, { now, idleSince }: Alive) =>
      (await rotate(db, sessionId, generation, seal, userAgent, now, idleSince))[0],

    /**
     * The session of a refresh token of an earlier generation, and whether the token still gets the current one: docs/decisions/013 has the table.
     * Undefined for a wrong seal, a dead session, and a token that has not rotated yet. Takes no lock, because many tabs may ask at once.
     *
     * @param graceSince the previous token still works if the session was rotated since then; undefined if it never does
     */
    findUsedToken: async (
      { sessionId, generation, seal, userAgent }: PresentedToken,
      { now, idleSince }: Alive,
      graceSince: Date | undefined,
    ) => (await findUsedToken(db, sessionId, generation, seal, userAgent, now, idleSince, graceSince))[0],

    /**
     * Revokes the session of a stolen refresh token. Judges the token again under the row lock, because the session may have changed since the read.
     * Resolves to whether it revoked the session.
     */
    revokeStolen: async (
      { sessionId, generation, seal, userAgent }: PresentedToken,
      now: Date,
      graceSince: Date | undefined,
    ): Promise<boolean> => {
      const { numUpdatedRows } = await revoke('theft', now)
        .where('id', '=', sessionId)
        .where('generation', '>', generation)
        .where(isSealOf(seal, generation))
        .where(({ not }) => not(isGrace(generation, userAgent, graceSince)))
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    /** The newest 500 of a user's sessions that are alive. */
    listAlive: (userId: string, { now, idleSince }: Alive) =>
      db
        .selectFrom('user_sessions')
        .select(['id', 'user_agent', 'ip_address', 'created_at', 'last_used_at', 'expires_at'])
        .where('user_id', '=', userId)
        .where(isAlive(now, idleSince))
        .orderBy('id', 'desc')
        .limit(500)
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
     * Ends the sessions among the `limit` that follow `after` in order of their ids.
     *
     * @returns how many it ended, and the last id it looked at; undefined when there are no more
     */
    revokeNext: async (after: string, limit: number, reason: RevokedReason, now: Date) => {
      const next = db.selectFrom('user_sessions').select('id').where('id', '>', after).orderBy('id').limit(limit);
      const { numUpdatedRows } = await revoke(reason, now).where('id', 'in', next).executeTakeFirstOrThrow();
      const last = await db.selectFrom(next.as('next')).select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
      return { ended: Number(numUpdatedRows), last: last?.id };
    },

    /** Ends all sessions of a user, or all but one. */
    revokeAll: (userId: string, reason: RevokedReason, now: Date, { except }: { except?: string | undefined } = {}) => {
      const query = revoke(reason, now).where('user_id', '=', userId);
      return (except === undefined ? query : query.where('id', '<>', except)).execute();
    },

    /**
     * Records that sessions are in use, and by tokens of which generation. Skips rows that another transaction is writing, so that nobody waits
     * (https://github.com/laravel/sanctum/issues/207): the next request records its use again.
     */
    recordUse: async (uses: ReadonlyMap<string, number>, now: Date) => {
      const ids = [...uses.keys()];
      const free = sql<string>`select id from user_sessions where id = any(${ids}::uuid[]) for update skip locked`;
      await sql`
        update user_sessions as session set
          last_used_at = greatest(last_used_at, ${now}::timestamptz),
          used_generation = greatest(used_generation, used.generation)
        from unnest(${ids}::uuid[], ${[...uses.values()]}::int[]) as used (id, generation)
        where session.id = used.id and session.id in (${free})`.execute(db);
    },
  };
};

/** A user as a request sees them: without the password's hash, and with the session that they came by. */
export type SignedInUser = Awaited<ReturnType<ReturnType<typeof userSessions>['findAlive']>>[number];
