import cookie from '@fastify/cookie';
import type { Database } from '@quoin/db';
import { apiKeyRoutes } from './api-keys/routes.ts';
import { auditEventRoutes } from './audit-events/routes.ts';
import { adminsOnly, authentication } from './auth/authentication.ts';
import { freshOnly } from './auth/fresh.ts';
import { oauthMetadataRoute } from './auth/oauth-routes.ts';
import { membersOnly } from './auth/organization-access.ts';
import { authRoutes, keyRoutes } from './auth/routes.ts';
import { apiScopesOnly } from './auth/scopes.ts';
import type { Config } from './config/config.ts';
import { documentRoutes } from './documents/routes.ts';
import { emailCodeRoutes } from './email-codes/routes.ts';
import { exportRoutes } from './exports/routes.ts';
import { factorRoutes } from './factors/routes.ts';
import { healthRoutes } from './health/routes.ts';
import { answers } from './http/answers.ts';
import { bodyLimits, bodyParsers } from './http/body.ts';
import { noStore } from './http/caching.ts';
import { crossOrigin } from './http/cors.ts';
import { draining } from './http/draining.ts';
import { createHttpServer, type LogOptions } from './http/http-server.ts';
import { idempotency } from './http/idempotency.ts';
import { observeRequests } from './http/observe-requests.ts';
import { openApi } from './http/openapi.ts';
import { overload } from './http/overload.ts';
import { preconditions } from './http/preconditions.ts';
import { problemResponses } from './http/problem.ts';
import { protocolChecks } from './http/protocol.ts';
import { answerOtherMethods, routeTable } from './http/route-table.ts';
import type { App } from './http/schema.ts';
import { security } from './http/security-headers.ts';
import { endStreamsOnClose } from './http/streams.ts';
import { openThrottleStore } from './http/throttle/open-store.ts';
import { throttling } from './http/throttle/throttle.ts';
import { userLimits } from './http/throttle/user-limits.ts';
import { requestValidation } from './http/validation.ts';
import { identityRoutes } from './identities/routes.ts';
import { jobRoutes } from './jobs/routes.ts';
import { landingRoutes } from './landing/routes.ts';
import { mailPreviewRoutes } from './mail/preview-routes.ts';
import { organizationRoutes } from './organizations/routes.ts';
import { passkeyRoutes, relatedOriginRoutes } from './passkeys/routes.ts';
import { preferenceRoutes } from './preferences/routes.ts';
import type { Metrics } from './process/metrics.ts';
import type { Tracing } from './process/tracing.ts';
import type { RouteContext } from './product/route-context.ts';
import { registeredRoutes } from './product/routes.ts';
import { runJobs } from './queue/run-jobs.ts';
import { createRunner } from './queue/runner.ts';
import { recoveryRoutes } from './recovery/routes.ts';
import { createServices, type ServiceDependencies, type Services } from './services.ts';
import { taskRoutes } from './tasks/routes.ts';
import { userRoutes } from './users/routes.ts';
import { webhookRoutes } from './webhooks/routes.ts';

/** Registers routes of the product. */
type Register = (api: App, services: Services['product'], context: RouteContext) => void;

interface Options extends Pick<ServiceDependencies, 'clock' | 'transport' | 'hashCost'> {
  /** Undefined: no log. */
  log?: LogOptions | undefined;
  metrics?: Metrics | undefined;
  tracing?: Tracing | undefined;
}

/** Builds the application: every plugin and feature by name, in order. `process/server.ts` makes it listen; tests call it with `inject`. */
export async function buildApp(config: Config, database: Database, options: Options = {}) {
  const { log, metrics, tracing, clock = () => new Date(), transport, hashCost } = options;
  const now = () => clock().getTime();
  const app = createHttpServer(config, log);
  tracing?.watch(app);
  observeRequests(app, { requestEnded: metrics?.requestEnded, traceId: tracing?.traceId });
  const routes = routeTable(app);
  problemResponses(app);
  security(app);
  protocolChecks(app);
  noStore(app);
  bodyLimits(app, config.apiPrefix);
  bodyParsers(app);
  preconditions(app);
  answers(app);
  idempotency(app, { database, secretKey: config.secretKey });
  requestValidation(app);
  endStreamsOnClose(app);
  const { drain, isDraining } = draining(app);
  if (!database.isEmbedded) await overload(app);
  await crossOrigin(app, config.corsOrigins);
  await openApi(app, config);

  const store = await openThrottleStore(config, app.log, now);
  const traceContext = tracing?.context;
  const services = createServices({ config, database, clock, log: app.log, store, transport, traceContext, hashCost });
  const { jobs } = services;
  // Runs after the hook of `runJobs`, which waits for the mails that are being sent.
  app.addHook('onClose', async () => services.closeMail());
  const runner = createRunner({ database, jobs, log: app.log, onEnded: metrics?.jobEnded, inTrace: tracing?.inTrace });
  runJobs(app, runner, { stopMs: 500 * config.shutdownSeconds });
  metrics?.watch(database, services.passwords.load, [...jobs.definitions.keys()]);

  throttling(app, store);
  await app.register(cookie);
  authentication(app, { ...services, database, config, clock });
  if (config.hasRateLimit) userLimits(app, { perMinute: config.userRequestsPerMinute, clock: now });
  apiScopesOnly(app);
  adminsOnly(app);
  membersOnly(app);
  freshOnly(app, clock);

  if (config.environment === 'development') mailPreviewRoutes(app, services);
  landingRoutes(app, { ...config, isEmbedded: database.isEmbedded });
  healthRoutes(app, { database, isDraining });
  keyRoutes(app, services);
  relatedOriginRoutes(app, config);
  oauthMetadataRoute(app, config);
  const api = async (api: App) => {
    healthRoutes(api, { database, isDraining }, { suffix: 'UnderPrefix' });
    await authRoutes(api, services);
    recoveryRoutes(api, services);
    factorRoutes(api, services);
    passkeyRoutes(api, services);
    emailCodeRoutes(api, services);
    identityRoutes(api, services, config);
    apiKeyRoutes(api, services);
    userRoutes(api, services);
    exportRoutes(api, services);
    organizationRoutes(api, services);
    preferenceRoutes(api, services);
    taskRoutes(api, services);
    documentRoutes(api, services);
    auditEventRoutes(api, services);
    webhookRoutes(api, services);
    jobRoutes(api, services);
    for (const register of registeredRoutes as Register[])
      register(api, services.product, { ...services, config, database, clock });
  };
  await app.register(api, { prefix: config.apiPrefix });
  const own = [...routes];
  answerOtherMethods(app, own);

  /** `drain`: from now on, readiness fails and responses close their connections. `routes`: without those that answer 405. */
  return Object.assign(app, { drain, routes: own, services, runner });
}
