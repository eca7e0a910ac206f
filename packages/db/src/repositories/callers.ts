import { sql } from 'kysely';
import type { Context } from './context.ts';
import { type Alive, isAlive } from './user-sessions.ts';
import { userColumns } from './users.ts';

/** What a request presents: a session or an API key. */
export interface Credential {
  userId: string;
  sessionId?: string | undefined;
  apiKeyId?: string | undefined;
  /** Whether the session comes in a cookie, whose seals depend on the secret of the session. */
  isCookie?: boolean;
  /** The organization that the request is about, if any. */
  organizationId?: string | undefined;
}

/** What the value of a cookie is compared with. */
export interface CookieKeys {
  generation: number;
  /** In hexadecimal digits. */
  token_secret: string;
  /** ISO 8601; null before the first rotation. */
  rotated_at: string | null;
}

/** Reads the callers of requests. */
export const callers = ({ db }: Context) => ({
  /**
   * Returns the sessions and API keys that are alive, each with its active user, and the role of the user in the organization. Every authenticated request makes this read, in one statement for both, because requests
   * share it. The secret of an API key is not compared here.
   */
  find: (credentials: readonly Credential[], alive: Alive) => {
    const userIds = credentials.map((one) => one.userId);
    // A null matches no row and costs no index look-up.
    const sessionIds = credentials.map((one) => one.sessionId ?? null);
    const apiKeyIds = credentials.map((one) => one.apiKeyId ?? null);
    const organizationIds = credentials.map((one) => one.organizationId ?? null);
    const cookies = credentials.map((one) => one.isCookie ?? false);
    return db
      .selectFrom(
        sql<
          Required<Credential>
        >`unnest(${userIds}::uuid[], ${sessionIds}::uuid[], ${apiKeyIds}::uuid[], ${cookies}::bool[], ${organizationIds}::uuid[])`.as<'one'>(
          sql`one ("userId", "sessionId", "apiKeyId", "isCookie", "organizationId")`,
        ),
      )
      .innerJoin('users', 'users.id', 'one.userId')
      .leftJoin('user_sessions', (join) =>
        join
          .onRef('user_sessions.user_id', '=', 'one.userId')
          .onRef('user_sessions.id', '=', 'one.sessionId')
          .on(isAlive(alive)),
      )
      .leftJoin('api_keys', (join) =>
        join
          .onRef('api_keys.user_id', '=', 'one.userId')
          .onRef('api_keys.id', '=', 'one.apiKeyId')
          .on('api_keys.expires_at', '>', alive.now)
          // Requesting the deletion of an account ends its sessions, and its keys are refused until the deletion is cancelled.
          .on('users.deletion_due_at', 'is', null),
      )
      .leftJoin('memberships', (join) =>
        join
          .onRef('memberships.organization_id', '=', 'one.organizationId')
          .onRef('memberships.user_id', '=', 'one.userId'),
      )
      .select(userColumns)
      .select([
        'user_sessions.id as session_id',
        'user_sessions.created_at as signed_in_at',
        'user_sessions.authenticated_at',
        'user_sessions.used_generation',
        'api_keys.id as api_key_id',
        'api_keys.secret_hash',
        'api_keys.scopes',
        'api_keys.organization_id as api_key_organization_id',
        'one.organizationId as organization_id',
        'memberships.role as organization_role',
        sql<Date | null>`coalesce(user_sessions.last_used_at, api_keys.last_used_at)`.as('last_used_at'),
        sql<CookieKeys | null>`case when one."isCookie" then jsonb_build_object('generation', generation, 'token_secret', encode(token_secret, 'hex'), 'rotated_at', rotated_at) end`.as(
          'cookie',
        ),
      ])
      .where('users.is_active', '=', true)
      .where(({ or, eb }) => or([eb('user_sessions.id', 'is not', null), eb('api_keys.id', 'is not', null)]))
      .execute();
  },
});

/** The account that a request acts for, without the password hash, and the session or API key that it acts with. */
export type Caller = Awaited<ReturnType<ReturnType<typeof callers>['find']>>[number];
