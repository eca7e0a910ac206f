import { type Insertable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { AuthenticationMethod, RevokedReason } from '../schema/values.ts';
import type { Context } from './context.ts';
import { deleteOld } from './delete-old.ts';

export type NewUserSession = Pick<
  Insertable<Tables['user_sessions']>,
  'user_id' | 'methods' | 'token_secret' | 'user_agent' | 'ip_address' | 'created_at' | 'last_used_at' | 'expires_at'
>;

/** Names a session. */
export interface SessionKey {
  userId: string;
  sessionId: string;
}

/** A use of a session. */
export interface SessionUse extends SessionKey {
  /** Generation of the access token. */
  generation: number;
}

/** A session is alive if it is not revoked, not expired, and was used since `idleSince`. */
export interface Alive {
  now: Date;
  idleSince: Date;
}

export const isAlive = ({ now, idleSince }: Alive) =>
  sql<boolean>`user_sessions.revoked_at is null
    and user_sessions.expires_at > ${now} and user_sessions.last_used_at > ${idleSince}`;

const union = (methods: readonly AuthenticationMethod[]) =>
  sql<AuthenticationMethod[]>`array(select distinct unnest(methods || ${methods}::text[]))`;

/** The columns from which the tokens of a session are computed. */
export const sessionKeyColumns = [
  'user_sessions.id',
  'user_sessions.user_id',
  'user_sessions.generation',
  'user_sessions.token_secret',
  'user_sessions.methods',
  sql<Date>`coalesce(user_sessions.authenticated_at, user_sessions.created_at)`.as('authenticated_at'),
] as const;

const idsOf = (keys: readonly SessionKey[]) => [keys.map((one) => one.userId), keys.map((one) => one.sessionId)];

export const revoke = ({ db }: Context, reason: RevokedReason, now: Date) =>
  db.updateTable('user_sessions').set({ revoked_at: now, revoked_reason: reason }).where('revoked_at', 'is', null);

/** Sessions: one per sign-in. */
export const userSessions = (context: Context) => {
  const { db } = context;
  return {
    /** Resolves to the id of the new session. */
    create: async (session: NewUserSession) => {
      const id = newId();
      await db
        .insertInto('user_sessions')
        .values({ id, ...session })
        .execute();
      return id;
    },

    /** Records that the user has proven again who they are. Resolves to the session; undefined if it has ended. */
    reauthenticate: (
      { userId, sessionId }: SessionKey,
      methods: readonly AuthenticationMethod[],
      now: Date,
      { isCookie }: { isCookie: boolean },
    ) =>
      db
        .updateTable('user_sessions')
        .set(({ eb }) => ({
          authenticated_at: now,
          methods: union(methods),
          // A cookie gets a new value, as after signing in (OWASP ASVS 5.0, 7.2.4).
          ...(isCookie && { generation: eb('generation', '+', 1), rotated_at: now }),
        }))
        .where('user_id', '=', userId)
        .where('id', '=', sessionId)
        .where('revoked_at', 'is', null)
        .returning(sessionKeyColumns)
        .executeTakeFirst(),

    /**
     * Resolves to whether the session is not revoked. If so, locks its row until the transaction ends: a change that the session makes either happens before it is
     * revoked, or not at all.
     */
    lockUnrevoked: async ({ userId, sessionId }: SessionKey): Promise<boolean> => {
      const session = await db
        .selectFrom('user_sessions')
        .select('id')
        .where('user_id', '=', userId)
        .where('id', '=', sessionId)
        .where('revoked_at', 'is', null)
        .forNoKeyUpdate()
        .executeTakeFirst();
      return session !== undefined;
    },

    /** Records a factor that the user has added in this session. This is no proof of who they are. */
    addMethods: ({ userId, sessionId }: SessionKey, methods: readonly AuthenticationMethod[]) =>
      db
        .updateTable('user_sessions')
        .set({ methods: union(methods) })
        .where('user_id', '=', userId)
        .where('id', '=', sessionId)
        .execute(),

    /** Revokes all sessions of a user, or all but one. */
    revokeAllOf: (
      userId: string,
      reason: RevokedReason,
      now: Date,
      { except }: { except?: string | undefined } = {},
    ) => {
      const query = revoke(context, reason, now).where('user_id', '=', userId);
      return (except === undefined ? query : query.where('id', '<>', except)).execute();
    },

    /**
     * Revokes the live sessions among the next `limit` sessions after `after`, by user and id.
     *
     * @returns the number of revoked sessions and the last session; undefined if there are no more sessions
     */
    revokeNext: async (after: SessionKey, limit: number, reason: RevokedReason, now: Date) => {
      const next = db
        .selectFrom('user_sessions')
        .select(['user_id', 'id'])
        .where(sql<boolean>`(user_id, id) > (${after.userId}, ${after.sessionId})`)
        .orderBy('user_id')
        .orderBy('id')
        .limit(limit);
      const { numUpdatedRows } = await revoke(context, reason, now)
        .where(({ refTuple }) => refTuple('user_id', 'id'), 'in', next.$asTuple('user_id', 'id'))
        .executeTakeFirstOrThrow();
      const last = await db
        .selectFrom(next.as('next'))
        .select(['user_id as userId', 'id as sessionId'])
        .orderBy('user_id', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return { revoked: Number(numUpdatedRows), last };
    },

    /**
     * Deletes at most `limit` sessions that expired, or were revoked, before `before`, except those that another transaction has locked. Resolves to their number.
     */
    deleteEnded: (column: 'expires_at' | 'revoked_at', before: Date, limit: number) =>
      deleteOld(db, { table: 'user_sessions', key: ['user_id', 'id'], column }, before, limit),

    /**
     * Records that sessions are in use, and the generations of their access tokens. Skips rows that another transaction is writing, so that nothing waits
     * (https://github.com/laravel/sanctum/issues/207). The next request records the use again.
     */
    recordUse: async (uses: readonly SessionUse[], now: Date) => {
      const [userIds, sessionIds] = idsOf(uses);
      const generations = uses.map((one) => one.generation);
      await sql`
        with used as (
          select user_id, id, used.generation
          from unnest(${userIds}::uuid[], ${sessionIds}::uuid[], ${generations}::int[]) as used (user_id, id, generation)
            join user_sessions session using (user_id, id)
          for update of session skip locked)
        update user_sessions as session set
          last_used_at = greatest(last_used_at, ${now}::timestamptz),
          used_generation = greatest(used_generation, used.generation)
        from used where session.user_id = used.user_id and session.id = used.id`.execute(db);
    },
  };
};
