import { type Selectable, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';
import { type Alive, isAlive, sessionKeyColumns } from './user-sessions.ts';

/** A refresh token as a client presents it. */
export interface PresentedToken {
  userId: string;
  sessionId: string;
  generation: number;
  /** First 16 bytes of SHA-256(token_secret | session id | generation). */
  seal: Uint8Array;
  /** User-Agent of the client, cut to 255 characters; empty if it sends none. */
  userAgent: string;
}

/** A session after a rotation. */
export type RotatedSession = Pick<
  Selectable<Tables['user_sessions']>,
  'id' | 'user_id' | 'generation' | 'token_secret' | 'methods'
> & {
  /** When the user last proved who they are. */
  authenticated_at: Date;
};

const isSealOf = ({ seal, generation }: PresentedToken) =>
  sql<boolean>`substring(sha256(token_secret || uuid_send(user_sessions.id) || int4send(${generation}::int)) for 16) = ${seal}`;

/**
 * Whether the previous token still works: for the client that rotated it, within the grace period or until an access token of the current generation
 * was used.
 */
const isGrace = ({ generation, userAgent }: PresentedToken, graceSince: Date | undefined) =>
  graceSince === undefined
    ? sql<boolean>`false`
    : sql<boolean>`(user_sessions.generation = ${generation}::int + 1
        and coalesce(rotated_user_agent, user_agent, '') = ${userAgent}
        and (rotated_at >= ${graceSince} or used_generation < user_sessions.generation))`;

/** Refresh tokens: columns of the sessions. docs/decisions/013 has the state machine. */
export const refreshTokens = ({ db, fast }: Context) => ({
  /**
   * Moves the session of this token to the next generation and returns it. Of concurrent calls, one finds the generation unchanged. The others get undefined,
   * and so do a wrong seal and a dead session.
   */
  rotate: async (token: PresentedToken, alive: Alive): Promise<RotatedSession | undefined> => {
    // Written as SQL: built by Kysely, it costs a third of the throughput (docs/performance.md).
    const { rows } = await sql<RotatedSession>`
      update user_sessions
      set generation = generation + 1, rotated_at = ${alive.now}, rotated_user_agent = ${token.userAgent}, last_used_at = ${alive.now}
      from users
      where user_id = ${token.userId} and user_sessions.id = ${token.sessionId} and generation = ${token.generation} and ${isSealOf(token)} and ${isAlive(alive)}
        and users.id = user_id and users.is_active
      returning user_sessions.id, user_id, generation, token_secret, methods, coalesce(authenticated_at, user_sessions.created_at) as authenticated_at`.execute(
      fast,
    );
    return rows[0];
  },

  /**
   * Returns the session of a token of an earlier generation, and whether the token still gets the current one. Undefined for a wrong seal, for a dead session,
   * and for a token that has not rotated yet. Takes no lock, because many tabs may ask at once.
   *
   * @param graceSince the previous token works if the session was rotated since then; undefined: it never does
   */
  findUsed: (token: PresentedToken, alive: Alive, graceSince: Date | undefined) =>
    fast
      .selectFrom('user_sessions')
      .innerJoin('users', 'users.id', 'user_sessions.user_id')
      .select(sessionKeyColumns)
      .select(isGrace(token, graceSince).as('is_grace'))
      .where('user_id', '=', token.userId)
      .where('user_sessions.id', '=', token.sessionId)
      .where('generation', '>', token.generation)
      .where(isSealOf(token))
      .where(isAlive(alive))
      .where('users.is_active', '=', true)
      .executeTakeFirst(),

  /**
   * Revokes the session of a stolen token. Judges the token again under the row lock, because the session may have changed since the read. Resolves to whether
   * it revoked the session.
   */
  revokeStolen: async (token: PresentedToken, now: Date, graceSince: Date | undefined): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('user_sessions')
      .set({ revoked_at: now, revoked_reason: 'theft' })
      .where('revoked_at', 'is', null)
      .where('user_id', '=', token.userId)
      .where('id', '=', token.sessionId)
      .where('generation', '>', token.generation)
      .where(isSealOf(token))
      .where(({ not }) => not(isGrace(token, graceSince)))
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },
});
