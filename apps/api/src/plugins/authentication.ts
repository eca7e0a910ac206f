import type { Database, Scope, SignedInUser } from '@quoin/db';
import DataLoader from 'dataloader';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AccessTokens, invalidToken } from '../auth/access-token.ts';
import type { Config } from '../config.ts';
import { forbidden, Problem } from '../errors.ts';
import { aliveAt } from '../session-lifetime.ts';

// Who is asking. Every route needs an access token unless its config says `public: true`, and an admin's where it says `admin: true`.
// The session and the user are read on every request, so that a logout, a deactivation and a demotion count from the next request on;
// the requests that arrive at the same time share one statement. Nothing is kept from one batch to the next.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Anybody may call it; `or signed in`: who sends an access token is known, and a token that is no good is refused. */
    public?: boolean | 'or signed in';
    /** Only admins may call it: everybody else gets 403, whatever the path and the body say. */
    admin?: boolean;
    /** It answers also where the process cannot keep up with what is asked of it. */
    evenWhenOverloaded?: boolean;
  }
  interface FastifyRequest {
    /** Who is asking; on private routes, and where a route is public `or signed in`. */
    scope: Scope;
    /** Their account, as it is now; on private routes only. */
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
/** How often a session's last use is written: more often would make every read a write. */
const touchMs = 60_000;
const touchDelayMs = 1_000;

export function authentication(app: FastifyInstance, { database, accessTokens, config, clock }: Dependencies) {
  const sessions = new DataLoader<string, SignedInUser | undefined>(
    async (ids) => {
      const alive = aliveAt(clock(), config);
      const rows = await database.system(({ userSessions }) => userSessions.findAlive([...new Set(ids)], alive), {
        single: 'read',
      });
      const byId = new Map(rows.map((row) => [row.session_id, row]));
      return ids.map((id) => byId.get(id));
    },
    { cache: false, maxBatchSize: batchMax, batchScheduleFn: (run) => setImmediate(run) },
  );
  const touch = createTouches(app, database, clock);

  app.decorateRequest('scope', null as unknown as Scope);
  app.decorateRequest('user', null as unknown as SignedInUser);

  const authenticate = async (request: FastifyRequest, isForAdmins: boolean) => {
    const { userId, sessionId } = accessTokens.verify(bearerToken(request));
    const user = await sessions.load(sessionId);
    if (user?.id !== userId) throw invalidToken();
    if (clock().getTime() - user.last_used_at.getTime() >= touchMs) touch(sessionId);
    request.user = user;
    request.scope = { userId, sessionId, isAdmin: user.is_admin };
    if (isForAdmins && !user.is_admin) throw forbidden();
  };

  app.addHook('onRequest', (request, _reply, done) => {
    const { config: route } = request.routeOptions;
    const isOpen = request.is404 || route.public === true;
    if (isOpen || (route.public && request.headers.authorization === undefined)) return done();
    authenticate(request, route.admin === true).then(() => done(), done);
  });
}

function bearerToken({ headers: { authorization } }: FastifyRequest): string {
  const token = /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization ?? '')?.[1];
  if (!token) throw new Problem('missing_token', 'Send the header `Authorization: Bearer <access token>`.');
  return token;
}

/** Notes uses of sessions, and writes them together a moment later: off the path of any request, and without failing one. */
function createTouches(app: FastifyInstance, database: Database, clock: () => Date) {
  const used = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const write = async () => {
    timer = undefined;
    const ids = [...used];
    used.clear();
    await database
      .system(({ userSessions }) => userSessions.touch(ids, clock()))
      .catch((error) => app.log.warn({ err: error }, 'the last use of sessions could not be written'));
  };
  const flush = () => {
    writing = writing.then(write);
  };

  app.addHook('onClose', async () => {
    clearTimeout(timer);
    if (used.size > 0) flush();
    await writing;
  });

  return (sessionId: string) => {
    used.add(sessionId);
    timer ??= setTimeout(flush, touchDelayMs).unref();
  };
}
