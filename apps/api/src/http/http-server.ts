import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { LogController } from 'fastify';
import type { DestinationStream } from 'pino';
import { createTrust } from './address.ts';
import { bodyBytesMax } from './body.ts';
import { frameworkError } from './problem.ts';
import { clientError, serverOptions } from './protocol.ts';
import { requestId } from './request-id.ts';

export interface LogOptions {
  level: string;
  stream: DestinationStream;
}

/** Paths that are redacted in log entries, in case a dependency logs headers. */
const secretPaths = ['headers', 'req.headers', 'request.headers', 'err.headers'].flatMap((path) => [
  `${path}.authorization`,
  `${path}.cookie`,
]);

/**
 * Creates a Fastify server with limits on time and size.
 *
 * @param log undefined: no log
 */
export const createHttpServer = (
  { trustProxy }: { trustProxy: boolean | number | string[] },
  log: LogOptions | undefined,
) =>
  Fastify({
    logger: log ? { ...log, redact: secretPaths } : false,
    // `observeRequests` logs one line per request instead of Fastify's two.
    logController: new LogController({ requestIdLogLabel: 'request_id', disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: requestId,
    bodyLimit: bodyBytesMax,
    trustProxy: createTrust(trustProxy),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: clientError,
    frameworkErrors: frameworkError,
    // Against clients that send slowly, or nothing.
    requestTimeout: 30_000,
    // Against clients that do not read their response, which is held in memory.
    connectionTimeout: 60_000,
    http: { ...serverOptions, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    routerOptions: { maxParamLength: 2000 },
  }).withTypeProvider<TypeBoxTypeProvider>();
