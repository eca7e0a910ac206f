import type { Database, RequestedSession, Scope, SessionUse, SignedInUser } from '@quoin/db';
import DataLoader from 'dataloader';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import { forbidden, Problem, sessionEnded } from '../http/errors.ts';
import type { AccessTokens } from './access-token.ts';
import { aliveAt } from './alive.ts';
import type { SessionCookie } from './cookie.ts';
import type { RefreshToken } from './refresh-token.ts';

// Every route requires an access token unless its config says `public: true`. The session and the user are read on every request, so that a sign-out, a
// deactivation and a demotion count from the next request. Concurrent requests share one statement. Nothing is cached between batches.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Anonymous access is allowed. With `or signed in`, an invalid access token is still rejected with 401. */
    public?: boolean | 'or signed in';
    /** Only admins may call the route. Others get 403 before the path and the body are validated. */
    admin?: boolean;
    /** The route answers even while the process is overloaded. */
    evenWhenOverloaded?: boolean;
  }
  interface FastifyRequest {
    /** The caller; on private routes, and on routes that are public `or signed in`. */
    scope: Scope;
    /** The caller's account as it is now; on private routes only. */
    user: SignedInUser;
  }
}

interface Dependencies {
  database: Database;
  accessTokens: AccessTokens;
  sessionCookie: SessionCookie;
  config: Pick<Config, 'sessionInactivitySeconds'>;
  clock: () => Date;
}

const batchMax = 500;
/** How often the last use of a session is written. More often would turn every read into a write. */
const recordUseEveryMs = 60_000;
const recordUseDelayMs = 1_000;

/** A session that a request wants to act in: what its access token or its cookie says. */
interface SessionCredential extends SessionUse {
  cookie?: RefreshToken | undefined;
}

export function authentication(
  app: FastifyInstance,
  { database, accessTokens, sessionCookie, config, clock }: Dependencies,
) {
  const sessions = new DataLoader<SessionCredential, SignedInUser | undefined>(
    async (credentials) => {
      const requested = credentials.map(({ userId, sessionId, cookie }) => ({
        userId,
        sessionId,
        isCookie: cookie !== undefined,
      }));
      const alive = await database.system().userSessions.findAlive(distinct(requested), aliveAt(clock(), config));
      const byId = new Map(alive.map((row) => [row.session_id, row]));
      return credentials.map(({ sessionId }) => byId.get(sessionId));
    },
    { cache: false, maxBatchSize: batchMax, batchScheduleFn: (run) => setImmediate(run) },
  );
  const recordUse = createUseRecorder(app, database, clock);

  app.decorateRequest('scope', null as unknown as Scope);
  app.decorateRequest('user', null as unknown as SignedInUser);

  const authenticate = async (request: FastifyRequest, credential: SessionCredential) => {
    const { userId, sessionId, generation, cookie } = credential;
    const user = await sessions.load(credential);
    if (user?.id !== userId) throw sessionEnded();
    const age = cookie && user.cookie ? sessionCookie.ageOf(cookie, user.cookie) : undefined;
    if (cookie && !age) throw sessionEnded();
    const reauthenticatedAt = age === 'previous' ? undefined : (user.authenticated_at ?? undefined);
    const isFirstUse = generation > user.used_generation;
    if (isFirstUse || clock().getTime() - user.last_used_at.getTime() >= recordUseEveryMs)
      recordUse({ userId, sessionId, generation });
    request.user = user;
    request.scope = {
      actor: {
        userId,
        sessionId,
        authenticatedAt: reauthenticatedAt ?? user.signed_in_at,
        reauthenticatedAt,
      },
      owner: { userId },
      isAdmin: user.is_admin,
    };
  };

  /** Returns what the request says about its session. @throws Problem `missing_token`, `invalid_token`, `expired_token`, `csrf_failed` */
  const sessionCredentialOf = (request: FastifyRequest): SessionCredential => {
    const isCookie = sessionCookie.isSent(request);
    if (isCookie && request.headers.authorization !== undefined)
      throw new Problem('malformed_request', 'Send a session cookie or an access token, not both.');
    if (!isCookie) return accessTokens.verify(bearerToken(request));
    sessionCookie.requireSameSite(request);
    const cookie = sessionCookie.parse(request);
    if (!cookie) throw sessionEnded();
    return { ...cookie, cookie };
  };

  app.addHook('onRequest', (request, _reply, done) => {
    const { config: route } = request.routeOptions;
    if (request.is404 || route.public === true) return done();
    const isAnonymous = request.headers.authorization === undefined && !sessionCookie.isSent(request);
    if (route.public && isAnonymous) return done();
    const authenticated = async () => authenticate(request, sessionCredentialOf(request));
    authenticated().then(
      () => done(),
      (error) => {
        const isDeadCookie =
          error instanceof Problem && error.code === 'invalid_token' && sessionCookie.isSent(request);
        // A browser sends a dead cookie without being asked.
        done(route.public && isDeadCookie ? undefined : error);
      },
    );
  });
}

/** One credential for each session. The access token and the cookie of a session never come together. */
const distinct = (requested: RequestedSession[]) => [...new Map(requested.map((one) => [one.sessionId, one])).values()];

/** Refuses non-admins on routes for admins. Runs after the rate limit per user, so that refused requests count. */
export function adminsOnly(app: FastifyInstance): void {
  app.addHook('onRequest', ({ routeOptions, scope }, _reply, done) =>
    done(routeOptions.config.admin && !scope.isAdmin ? forbidden() : undefined),
  );
}

function bearerToken({ headers: { authorization } }: FastifyRequest): string {
  const token = /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization ?? '')?.[1];
  if (!token) throw new Problem('missing_token', 'Send the header `Authorization: Bearer <access token>`.');
  return token;
}

/** Collects uses of sessions and writes them together a moment later, off the path of any request. A failed write fails no request. */
function createUseRecorder(app: FastifyInstance, database: Database, clock: () => Date) {
  let uses = new Map<string, SessionUse>();
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const write = async () => {
    timer = undefined;
    const collected = uses;
    uses = new Map();
    await database
      .system()
      .userSessions.recordUse([...collected.values()], clock())
      .catch((error) => app.log.warn({ err: error }, 'could not record the last use of sessions'));
  };
  const flush = () => {
    writing = writing.then(write);
  };

  app.addHook('onClose', async () => {
    clearTimeout(timer);
    if (uses.size > 0) flush();
    await writing;
  });

  return (use: SessionUse) => {
    const known = uses.get(use.sessionId);
    if (!known || use.generation > known.generation) uses.set(use.sessionId, use);
    timer ??= setTimeout(flush, recordUseDelayMs).unref();
  };
}
