import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Database } from '@quoin/db';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { type DestinationStream, levels } from 'pino';
import { auditEventRoutes } from './audit-events/routes.ts';
import { createAuditEvents } from './audit-events/service.ts';
import { createAccessTokens } from './auth/access-token.ts';
import { adminsOnly, authentication } from './auth/authentication.ts';
import { createRefreshTokens } from './auth/refresh-token.ts';
import { authRoutes, keyRoutes } from './auth/routes.ts';
import { createAuth } from './auth/service.ts';
import { sessionRoutes } from './auth/session-routes.ts';
import { createSessions } from './auth/session-service.ts';
import type { Config } from './config/config.ts';
import { createEmbedder } from './documents/embedder.ts';
import { createEmbeddingJob } from './documents/embedding-job.ts';
import { documentRoutes } from './documents/routes.ts';
import { createDocuments } from './documents/service.ts';
import { healthRoutes } from './health/routes.ts';
import { createTrust } from './http/address.ts';
import { bodyBytesMax, bodyLimits, bodyParsers } from './http/body.ts';
import { noStore } from './http/caching.ts';
import { openApi } from './http/openapi.ts';
import { overload } from './http/overload.ts';
import { createPages } from './http/page.ts';
import { frameworkError, problemResponses } from './http/problem.ts';
import { clientError, protocolChecks, serverOptions } from './http/protocol.ts';
import { requestId } from './http/request-id.ts';
import { logRequest } from './http/request-log.ts';
import { answerOtherMethods, routeTable } from './http/route-table.ts';
import type { App } from './http/schema.ts';
import { security } from './http/security-headers.ts';
import { endStreamsOnClose } from './http/streams.ts';
import { createLimiter } from './http/throttle/limiter.ts';
import { createMemoryStore } from './http/throttle/memory-store.ts';
import { throttling } from './http/throttle/throttle.ts';
import { userLimits } from './http/throttle/user-limits.ts';
import { requestValidation } from './http/validation.ts';
import { landingRoutes } from './landing/routes.ts';
import { createMailDelivery } from './mail/delivery.ts';
import { createMessages } from './mail/messages.ts';
import { createOutbox } from './mail/outbox.ts';
import { createMailTransport, type Transport } from './mail/transport.ts';
import { createBreachCheck } from './passwords/breached-passwords.ts';
import { createPasswords } from './passwords/passwords.ts';
import { preferenceRoutes } from './preferences/routes.ts';
import { createPreferences } from './preferences/service.ts';
import { createJobs } from './process/jobs.ts';
import type { Metrics } from './process/metrics.ts';
import type { Tracing } from './process/tracing.ts';
import { createOneTimeTokens } from './recovery/one-time-tokens.ts';
import { recoveryRoutes } from './recovery/routes.ts';
import { createRecovery } from './recovery/service.ts';
import { taskRoutes } from './tasks/routes.ts';
import { createTasks } from './tasks/service.ts';
import { userRoutes } from './users/routes.ts';
import { createUsers } from './users/service.ts';

/** What a page of another origin may read besides the usual. */
const exposedHeaders = [
  'location',
  'retry-after',
  'x-request-id',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
];
/** Nothing here logs them; should a dependency do so one day, they are left out. */
const secretPaths = ['headers', 'req.headers', 'request.headers', 'err.headers'].flatMap((path) => [
  `${path}.authorization`,
  `${path}.cookie`,
]);
/**
 * The application: every plugin and feature by name, in order. What listens, and on what, is server.ts's business; tests call it with
 * `inject`.
 *
 * @param clock the time, for everything that expires
 * @param log where the log goes, from which level on; by default nowhere
 * @param transport what sends a mail; by default as the configuration says
 * @param metrics told what happens, where somebody wants to know
 * @param tracing makes a span of each request, likewise
 */
export async function buildApp(
  config: Config,
  database: Database,
  {
    clock = () => new Date(),
    log,
    transport,
    metrics,
    tracing,
  }: {
    clock?: () => Date;
    log?: { level: string; stream: DestinationStream };
    transport?: Transport;
    metrics?: Metrics | undefined;
    tracing?: Tracing | undefined;
  } = {},
) {
  let isDraining = false;
  const app = Fastify({
    logger: log ? { ...log, redact: secretPaths } : false,
    // One line for each request, below, instead of Fastify's two.
    logController: new LogController({ requestIdLogLabel: 'request_id', disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: requestId,
    bodyLimit: bodyBytesMax,
    trustProxy: createTrust(config.trustProxy),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: clientError,
    frameworkErrors: frameworkError,
    // Against clients that send slowly, or nothing.
    requestTimeout: 30_000,
    // A client that does not read its response for so long is gone: the response lies in memory.
    connectionTimeout: 60_000,
    http: { ...serverOptions, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    routerOptions: { maxParamLength: 2000 },
  }).withTypeProvider<TypeBoxTypeProvider>();

  tracing?.watch(app);
  // Hooks on every request's path call back rather than return a promise, which is quicker.
  app.addHook('onRequest', ({ id }, reply, done) => {
    reply.header('x-request-id', id);
    done();
  });
  const requestLog =
    log && (levels.values[log.level] ?? Infinity) <= (levels.values.info ?? 0) ? log.stream : undefined;
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    metrics?.requestEnded(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    if (requestLog) logRequest(requestLog, request, reply, tracing?.traceId(request));
    done();
  });

  const routes = routeTable(app);
  problemResponses(app);
  security(app);
  protocolChecks(app);
  noStore(app);
  bodyLimits(app, config.apiPrefix);
  bodyParsers(app);
  requestValidation(app);
  endStreamsOnClose(app);
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Each client hears with an answer of its own that it should go elsewhere, and none finds its connection closed under its request.
    if (isDraining) reply.header('connection', 'close');
    done(null, payload);
  });
  if (!database.isEmbedded) await overload(app);
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: config.corsOrigins.includes('*') ? '*' : config.corsOrigins,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders,
      maxAge: 600,
      strictPreflight: false,
    });
  }
  await openApi(app, config);

  const store = config.hasRateLimit ? await throttleStore(config, app.log, () => clock().getTime()) : undefined;
  const limiter = createLimiter(store);
  const passwords = createPasswords(config, breachCheck(config, app.log), (err, message) =>
    app.log.error({ err }, message),
  );
  const pages = createPages(config.secretKey);
  const accessTokens = createAccessTokens(config, clock);
  const refreshTokens = createRefreshTokens(config.secretKey);
  const oneTimeTokens = createOneTimeTokens({ database, clock });
  const messages = createMessages(config.appUrl);
  const mailTransport = transport ?? createMailTransport({ config, log: app.log });
  const mail = createMailDelivery({ database, oneTimeTokens, messages, transport: mailTransport, clock, log: app.log });
  const jobs = createJobs(app, metrics?.jobEnded);
  const sendMails = jobs.add({ name: 'send mails', everyMs: 5_000, run: mail.deliver });
  const outbox = createOutbox({ clock, limiter, wake: sendMails });

  const users = createUsers({ database, passwords, pages, outbox, limiter, clock });
  const auth = createAuth({ database, passwords, accessTokens, refreshTokens, config, limiter, clock });
  const recovery = createRecovery({ database, passwords, outbox, clock });
  const sessions = createSessions({ database, config, clock });
  const preferences = createPreferences({ database });
  const tasks = createTasks({ database, pages });
  const embedder = config.embedding && createEmbedder(config.embedding);
  const embedding = embedder && createEmbeddingJob({ database, embedder, clock, log: app.log });
  const wake = embedding
    ? jobs.add({ name: 'embed documents', everyMs: 10_000, run: () => embedding.embedWaiting() })
    : () => {};
  const documents = createDocuments({ database, pages, embedder, wake, clock });
  const auditEvents = createAuditEvents({ database, pages });
  // Above this line `npm run new -- resource` adds its own.
  jobs.add({ name: 'delete expired sessions', everyMs: 10 * 60_000, run: sessions.deleteExpired });
  jobs.add({ name: 'delete expired one-time tokens', everyMs: 10 * 60_000, run: oneTimeTokens.deleteExpired });

  metrics?.watch({
    connections: database.connections,
    hashing: passwords.load,
    queues: () =>
      database.system(async ({ mails, documents }) => ({
        mails: await mails.count(),
        documents: await documents.countUnembedded(),
      })),
  });

  throttling(app, store);
  authentication(app, { database, accessTokens, config, clock });
  if (config.hasRateLimit) userLimits(app, { perMinute: config.userRequestsPerMinute, clock: () => clock().getTime() });
  adminsOnly(app);
  const health = { database, isDraining: () => isDraining };
  landingRoutes(app, { ...config, isEmbedded: database.isEmbedded });
  healthRoutes(app, health);
  keyRoutes(app, { accessTokens });
  await app.register(
    async (api: App) => {
      healthRoutes(api, health, { suffix: 'UnderPrefix' });
      await authRoutes(api, { auth, users });
      recoveryRoutes(api, { recovery });
      sessionRoutes(api, { sessions });
      userRoutes(api, { users });
      preferenceRoutes(api, { preferences });
      taskRoutes(api, { tasks });
      documentRoutes(api, { documents });
      auditEventRoutes(api, { auditEvents });
      // Above this line `npm run new -- resource` adds its own.
    },
    { prefix: config.apiPrefix },
  );
  const own = [...routes];
  answerOtherMethods(app, own);

  return Object.assign(app, {
    /** From now on it is not ready, and every connection ends with its next answer. */
    drain: () => {
      isDraining = true;
    },
    /** Every route, but for those that answer 405. */
    routes: own,
    /** For the process itself, which makes the first admin, and for tests of what is done beside requests. */
    services: { users, sessions, mail, oneTimeTokens, embedding },
  });
}

async function throttleStore({ redisUrl }: Config, log: FastifyBaseLogger, clock: () => number) {
  if (redisUrl === '') return createMemoryStore(clock);
  const { createRedisStore } = await import('./http/throttle/redis-store.ts');
  return createRedisStore(redisUrl, (message, err) => log.warn({ err }, message), clock);
}

const breachCheck = ({ passwordBreachUrl }: Config, log: FastifyBaseLogger) =>
  passwordBreachUrl === ''
    ? undefined
    : createBreachCheck(passwordBreachUrl, (err) =>
        log.warn({ err }, 'PASSWORD_BREACH_URL does not answer: a password was accepted without the check'),
      );
