import { timingSafeEqual } from 'node:crypto';
import type { Actor, Caller, Credential, Database, Scope, SessionUse } from '@quoin/db';
import DataLoader from 'dataloader';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import { forbidden, Problem, sessionEnded } from '../http/errors.ts';
import type { AccessTokens } from './access-token.ts';
import { aliveAt } from './alive.ts';
import { isApiKey, type PresentedApiKey, parseApiKey } from './api-key.ts';
import { createApiKeyLookups } from './api-key-lookups.ts';
import type { SessionCookie } from './cookie.ts';
import { organizationIdOf } from './organization-access.ts';
import type { RefreshToken } from './refresh-token.ts';
import { createUseRecorder } from './use-recorder.ts';

// Every route requires a session or an API key unless its config says `public: true`. The credential and the user are read on every request, so that a sign-out, a revocation, a
// deactivation and a demotion count from the next request. Concurrent requests share one statement. Nothing is cached between batches.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Anonymous access is allowed. With `or signed in`, invalid credentials are still rejected with 401. */
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
    user: Caller;
  }
}

interface Dependencies {
  database: Database;
  accessTokens: AccessTokens;
  sessionCookie: SessionCookie;
  config: Pick<Config, 'sessionInactivitySeconds' | 'hasRateLimit'>;
  clock: () => Date;
}

const batchMax = 500;
/** How often the last use of a session or a key is written. More often would turn every read into a write. */
const recordUseEveryMs = 60_000;

/** A session that a request wants to act in: what its access token or its cookie says. */
interface PresentedSession extends SessionUse {
  cookie?: RefreshToken | undefined;
  organizationId: string | undefined;
}

export function authentication(app: FastifyInstance, dependencies: Dependencies) {
  const { accessTokens, sessionCookie } = dependencies;
  const find = createCallerLookup(dependencies);
  const bySession = sessionAuthentication(app, dependencies, find);
  const byApiKey = apiKeyAuthentication(app, dependencies, find);

  app.decorateRequest('scope', null as unknown as Scope);
  app.decorateRequest('user', null as unknown as Caller);

  /** @throws Problem `missing_token`, `invalid_token`, `expired_token`, `csrf_failed`, `rate_limited` */
  const authenticate = async (request: FastifyRequest) => {
    const { user, actor } = await identify(request);
    request.user = user;
    // A key of a person, made for their own rows, must not open those of others when they become an admin.
    const isAdmin = user.is_admin && (actor.via === 'session' || user.kind === 'service');
    request.scope = { actor, owner: { userId: user.id }, isAdmin };
  };

  const identify = async (request: FastifyRequest) => {
    const isCookie = sessionCookie.isSent(request);
    const organizationId = organizationIdOf(request);
    if (isCookie && request.headers.authorization !== undefined)
      throw new Problem('malformed_request', 'Send a session cookie or an access token, not both.');
    if (isCookie) {
      sessionCookie.requireSameSite(request);
      const cookie = sessionCookie.parse(request);
      if (!cookie) throw sessionEnded();
      return bySession({ ...cookie, cookie, organizationId });
    }
    const token = bearerToken(request);
    return isApiKey(token)
      ? byApiKey(request, token, organizationId)
      : bySession({ ...accessTokens.verify(token), organizationId });
  };

  app.addHook('onRequest', (request, _reply, done) => {
    const { config: route } = request.routeOptions;
    if (request.is404 || route.public === true) return done();
    const isAnonymous = request.headers.authorization === undefined && !sessionCookie.isSent(request);
    if (route.public && isAnonymous) return done();
    authenticate(request).then(
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

type FindCaller = (credential: Credential) => Promise<Caller | undefined>;

/** Finds callers by their credentials. Concurrent requests share a statement. */
function createCallerLookup({ database, config, clock }: Dependencies): FindCaller {
  // With the user: a key that somebody made up can name the id of another user's key.
  const nameOf = (...ids: (string | null | undefined)[]) => ids.map((id) => id ?? '').join(' ');
  const idOf = ({ userId, sessionId, apiKeyId, organizationId }: Credential) =>
    nameOf(userId, sessionId, apiKeyId, organizationId);
  const loader = new DataLoader<Credential, Caller | undefined>(
    async (credentials) => {
      // One for each session or key, and organization. The access token and the cookie of a session never come together.
      const distinct = new Map(credentials.map((one) => [idOf(one), one]));
      const alive = await database.system().callers.find([...distinct.values()], aliveAt(clock(), config));
      const byId = new Map(
        alive.map((row) => [nameOf(row.id, row.session_id, row.api_key_id, row.organization_id), row]),
      );
      return credentials.map((one) => byId.get(idOf(one)));
    },
    { cache: false, maxBatchSize: batchMax, batchScheduleFn: (run) => setImmediate(run) },
  );
  return (credential) => loader.load(credential);
}

interface Authenticated {
  user: Caller;
  actor: Actor;
}

function sessionAuthentication(
  app: FastifyInstance,
  { database, sessionCookie, clock }: Dependencies,
  find: FindCaller,
): (session: PresentedSession) => Promise<Authenticated> {
  const recordUse = createUseRecorder<SessionUse>(
    app,
    (uses) => database.system().userSessions.recordUse(uses, clock()),
    ({ sessionId }) => sessionId,
    (known, use) => (use.generation > known.generation ? use : known),
  );

  return async ({ userId, sessionId, generation, cookie, organizationId }) => {
    const user = await find({ userId, sessionId, isCookie: cookie !== undefined, organizationId });
    if (!user?.signed_in_at) throw sessionEnded();
    const age = cookie && user.cookie ? sessionCookie.ageOf(cookie, user.cookie) : undefined;
    if (cookie && !age) throw sessionEnded();
    const isFirstUse = generation > (user.used_generation ?? 0);
    if (isFirstUse || isUseDue(user, clock())) recordUse({ userId, sessionId, generation });
    const reauthenticatedAt = age === 'previous' ? undefined : (user.authenticated_at ?? undefined);
    const authenticatedAt = reauthenticatedAt ?? user.signed_in_at;
    return { user, actor: { via: 'session', userId: user.id, sessionId, authenticatedAt, reauthenticatedAt } };
  };
}

function apiKeyAuthentication(
  app: FastifyInstance,
  { database, config, clock }: Dependencies,
  find: FindCaller,
): (request: FastifyRequest, text: string, organizationId: string | undefined) => Promise<Authenticated> {
  const recordUse = createUseRecorder<PresentedApiKey>(
    app,
    (keys) => database.system().apiKeys.recordUse(keys, clock()),
    ({ apiKeyId }) => apiKeyId,
    (known) => known,
  );
  const lookups = config.hasRateLimit ? createApiKeyLookups(() => clock().getTime()) : undefined;

  return async (request, text, organizationId) => {
    const key = parseApiKey(text);
    if (!key) throw apiKeyRefused();
    await lookups?.count(request, key);
    const { apiKeyId } = key;
    const user = await find({ userId: key.userId, apiKeyId, organizationId });
    if (!user?.secret_hash || !user.scopes || !timingSafeEqual(user.secret_hash, key.secretHash)) {
      await lookups?.failed(key);
      throw apiKeyRefused();
    }
    await lookups?.worked(request, key);
    if (isUseDue(user, clock())) recordUse(key);
    const keyOrganizationId = user.api_key_organization_id ?? undefined;
    const actor = { via: 'api_key', userId: user.id, apiKeyId, scopes: user.scopes, organizationId: keyOrganizationId };
    return { user, actor: actor as Actor };
  };
}

const isUseDue = ({ last_used_at }: Caller, now: Date) =>
  !last_used_at || now.getTime() - last_used_at.getTime() >= recordUseEveryMs;

const apiKeyRefused = () => new Problem('invalid_token', 'The API key is wrong, expired or revoked.');

/** Refuses non-admins on routes for admins. Runs after the rate limit per user, so that refused requests count. */
export function adminsOnly(app: FastifyInstance): void {
  app.addHook('onRequest', ({ routeOptions, scope }, _reply, done) =>
    done(routeOptions.config.admin && !scope.isAdmin ? forbidden() : undefined),
  );
}

function bearerToken({ headers: { authorization } }: FastifyRequest): string {
  const token = /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization ?? '')?.[1];
  if (!token)
    throw new Problem('missing_token', 'Send the header `Authorization: Bearer`, with an access token or an API key.');
  return token;
}
