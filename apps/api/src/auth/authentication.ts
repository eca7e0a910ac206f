import type { Database, Scope, SessionKey, SessionUse, SignedInUser } from '@quoin/db';
import DataLoader from 'dataloader';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import { forbidden, Problem } from '../http/errors.ts';
import { type AccessTokens, invalidToken } from './access-token.ts';
import { aliveAt } from './alive.ts';

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
  config: Pick<Config, 'sessionInactivitySeconds'>;
  clock: () => Date;
}

const batchMax = 500;
/** How often the last use of a session is written. More often would turn every read into a write. */
const recordUseEveryMs = 60_000;
const recordUseDelayMs = 1_000;

export function authentication(app: FastifyInstance, { database, accessTokens, config, clock }: Dependencies) {
  const sessions = new DataLoader<SessionKey, SignedInUser | undefined>(
    async (keys) => {
      const distinct = [...new Map(keys.map((key) => [key.sessionId, key])).values()];
      const alive = await database.system().userSessions.findAlive(distinct, aliveAt(clock(), config));
      const byId = new Map(alive.map((row) => [row.session_id, row]));
      return keys.map(({ sessionId }) => byId.get(sessionId));
    },
    { cache: false, maxBatchSize: batchMax, batchScheduleFn: (run) => setImmediate(run) },
  );
  const recordUse = createUseRecorder(app, database, clock);

  app.decorateRequest('scope', null as unknown as Scope);
  app.decorateRequest('user', null as unknown as SignedInUser);

  const authenticate = async (request: FastifyRequest) => {
    const claims = accessTokens.verify(bearerToken(request));
    const { userId, sessionId, generation } = claims;
    const user = await sessions.load(claims);
    if (user?.id !== userId) throw invalidToken();
    const isFirstUse = generation > user.used_generation;
    if (isFirstUse || clock().getTime() - user.last_used_at.getTime() >= recordUseEveryMs) recordUse(claims);
    request.user = user;
    request.scope = {
      actor: { userId, sessionId, authenticatedAt: user.authenticated_at },
      owner: { userId },
      isAdmin: user.is_admin,
    };
  };

  app.addHook('onRequest', (request, _reply, done) => {
    const { config: route } = request.routeOptions;
    const isOpen = request.is404 || route.public === true;
    if (isOpen || (route.public && request.headers.authorization === undefined)) return done();
    authenticate(request).then(() => done(), done);
  });
}

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
