import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { Problem } from './errors.ts';
import { hasTooManyValues, nodesMax } from './json.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Keeps the bytes of the body in `request.rawBody`, for a signature. */
    keepsRawBody?: boolean;
  }
  interface FastifyRequest {
    rawBody?: Buffer;
  }
}

// How a request body is read: how many bytes a route takes, in which content types, and what happens to a body that is too large.

const kibibyte = 1024;
export const bodyBytesMax = 1024 * kibibyte;
/** Body limit of routes for credentials and the account, whose largest field is a password. */
export const accountBodyBytesMax = 16 * kibibyte;
export const preferencesBodyBytesMax = 128 * kibibyte;
export const batchBodyBytesMax = 16 * 1024 * kibibyte;

/** A larger body is counted before it is parsed: parsing could take a gigabyte. */
const countedFromBytes = bodyBytesMax;

/** Gives every route the limit of its body, unless the route names one. */
export function bodyLimits(app: FastifyInstance, apiPrefix: string): void {
  const isAboutAccount = new RegExp(`^${RegExp.escape(apiPrefix)}/(auth|oauth|users/me)(/|$)`);
  app.addHook('onRoute', (route) => {
    if (isAboutAccount.test(route.url)) route.bodyLimit ??= accountBodyBytesMax;
  });
}

/** Accepts JSON in UTF-8 and, if the route takes none, an empty body of any type. Refuses encoded bodies and other types with 415. */
export function bodyParsers(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Many clients send a content type with every request, even without a body.
  const isIgnored = ({ routeOptions }: FastifyRequest, bytes: Buffer) =>
    bytes.length === 0 && !routeOptions.schema?.body;

  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    if (request.headers['idempotency-key'] !== undefined)
      request.bodyDigest = createHash('sha256').update(bytes).digest();
    if (request.routeOptions.config.keepsRawBody) request.rawBody = bytes;
    if (isIgnored(request, bytes)) return done(null);
    if (!mediaTypesOf(request.routeOptions).includes('application/json')) return done(unsupportedMediaType(request));
    if (!isUtf8(bytes)) return done(new Problem('malformed_json', 'The body is not valid JSON in UTF-8.'));
    if (bytes.length > countedFromBytes && hasTooManyValues(bytes)) return done(tooManyValues());
    return parseJson(request, bytes.toString(), done);
  });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes: Buffer, done) =>
    done(isIgnored(request, bytes) ? null : unsupportedMediaType(request)),
  );

  // Without a content type, Fastify does not compare the body with a schema for each content type.
  app.addHook('preValidation', (request, _reply, done) => {
    const { content } = (request.routeOptions.schema?.body ?? {}) as { content?: object };
    done(content && request.body === undefined ? noBody() : undefined);
  });

  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { 'content-encoding': encoding, 'content-type': type = '', 'content-length': length } = request.headers;
    const hasBody = request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    const charset = /^application\/(?:json|x-www-form-urlencoded).*;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1];
    if (hasBody && charset && !/^utf-?8$/i.test(charset))
      return done(new Problem('unsupported_media_type', 'Send the body in UTF-8.'), payload);
    // A compressed body can expand by a factor of a thousand.
    const isEncoded = hasBody && encoding !== undefined && encoding.toLowerCase() !== 'identity';
    done(isEncoded ? new Problem('unsupported_media_type', 'Send the body without Content-Encoding.') : null, payload);
  });
}

const noBody = () =>
  new Problem('validation_failed', 'body is missing', {
    errors: [{ in: 'body', pointer: '', message: 'is missing' }],
  });

const tooManyValues = () =>
  new Problem('validation_failed', `body has more than ${nodesMax} values`, {
    errors: [{ in: 'body', pointer: '', message: `has more than ${nodesMax} values` }],
  });

/** The content types that a route takes: those of its body schema, or of `consumes`. */
export function mediaTypesOf({ schema }: Pick<RouteOptions, 'schema'>): string[] {
  const { content } = (schema?.body ?? {}) as { content?: object };
  const { consumes } = (schema ?? {}) as { consumes?: readonly string[] };
  return consumes ? [...consumes] : content ? Object.keys(content) : ['application/json'];
}

export const unsupportedMediaType = ({ routeOptions }: FastifyRequest, cause?: unknown) =>
  new Problem('unsupported_media_type', `Send ${mediaTypesOf(routeOptions).join(' or ')}.`, { cause });

const discardedBytesMax = 32 * 1024 * kibibyte;
const discardMsMax = 5_000;

/**
 * Reads and discards the rest of a rejected body, up to 32 MiB or 5 s. A server that closes a connection on which bytes are still arriving resets it, and
 * the client sees the reset instead of the answer.
 */
export function discardBody(body: Readable): Promise<void> {
  if (body.readableEnded || body.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let received = 0;
    const stop = () => {
      clearTimeout(timer);
      body.off('data', count).off('end', stop).off('close', stop).off('error', stop);
      body.pause();
      resolve();
    };
    const count = (chunk: Buffer) => {
      received += chunk.length;
      if (received > discardedBytesMax) stop();
    };
    const timer = setTimeout(stop, discardMsMax);
    body.on('data', count).on('end', stop).on('close', stop).on('error', stop).resume();
  });
}
