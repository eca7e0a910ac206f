import { createHash, createHmac } from 'node:crypto';
import type { Answer, Database, Idempotency } from '@quoin/db';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { headersOf } from './answers.ts';
import { deleteAll } from './delete-all.ts';
import { deriveKey } from './derive-key.ts';
import { Problem } from './errors.ts';

// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that a client repeats has one effect, and gets the first answer. The answer is stored
// in the transaction of the effect. Concurrent requests with one key wait for each other at its primary key.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route changes nothing, so an Idempotency-Key is ignored. */
    isReadOnly?: boolean;
    /** The answer contains a secret that the server does not store readably, so no answer is kept, and an Idempotency-Key is ignored. */
    hasSecretAnswer?: boolean;
    /** Accepts an Idempotency-Key. */
    isIdempotent?: boolean;
  }
  interface FastifyRequest {
    /** SHA-256 of the body, if the request has an Idempotency-Key. */
    bodyDigest: Buffer | undefined;
  }
}

const keptMs = 24 * 3_600_000;
/** Longest stored response of a request that changed nothing. A client that repeats it gets the same without it. */
const unchangedLengthMax = 65_536;

/** POST, PATCH and DELETE routes of signed-in users, except searches, routes whose answer is a secret, and routes under `/auth`. PUT is idempotent by itself. */
const isIdempotent = ({ method, routePath, config }: RouteOptions & { routePath: string }) =>
  [method].flat().some((one) => ['POST', 'PATCH', 'DELETE'].includes(one)) &&
  !config?.public &&
  !config?.isReadOnly &&
  !config?.hasSecretAnswer &&
  !routePath.startsWith('/auth/');

/** Responses after which a client should send the same request again. */
const isNotStored = (status: number) => [401, 408, 429].includes(status);

export function idempotency(app: FastifyInstance, { database, secretKey }: { database: Database; secretKey: string }) {
  const { idempotencyKeys } = database.system();
  const fingerprintKey = deriveKey(secretKey, 'idempotency');

  /** Contains the caller's role, so that an admin who is no longer one gets no answer about others. */
  const fingerprintOf = ({ method, url, headers, bodyDigest, scope }: FastifyRequest) =>
    createHmac('sha256', fingerprintKey)
      .update(`${method} ${url} ${scope.isAdmin} ${headers['if-match'] ?? ''}\n`)
      .update(bodyDigest ?? '')
      .digest();

  /** Returns the stored answer. @throws Problem `idempotency_conflict` if it belongs to another request */
  const findAnswer = async ({ userId, keyHash, fingerprint }: Idempotency): Promise<Answer | undefined> => {
    const stored = await idempotencyKeys.find(userId, keyHash);
    if (!stored) return undefined;
    if (!Buffer.from(stored.fingerprint).equals(fingerprint)) throw conflict();
    const { status, headers, body } = stored;
    return { status, headers: headers as Record<string, string>, body };
  };

  app.decorateRequest('bodyDigest', undefined);
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isIdempotent: isIdempotent(route) };
  });

  const begin = async (request: FastifyRequest, reply: FastifyReply, key: string) => {
    if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw malformedKey();
    const idempotency: Idempotency = {
      userId: request.scope.actor.userId,
      keyHash: createHash('sha256').update(key).digest(),
      fingerprint: fingerprintOf(request),
      answerOf: (result) => successOf(request, reply, result),
      isStored: false,
    };
    const answer = await findAnswer(idempotency);
    if (!answer) request.scope = { ...request.scope, idempotency };
    return answer;
  };

  /**
   * Stores a response that came without a transaction: an error, or a request that changes nothing. If a concurrent request with the same key was answered
   * meanwhile, resolves to that answer.
   */
  const end = async (idempotency: Idempotency, reply: FastifyReply, payload: unknown) => {
    const { statusCode: status } = reply;
    if (status >= 500 || isNotStored(status)) return undefined;
    const { userId: user_id, keyHash: key_hash, fingerprint } = idempotency;
    const body = typeof payload === 'string' ? payload : null;
    if (body && body.length > unchangedLengthMax) return undefined;
    const key = { user_id, key_hash, fingerprint, status, headers: contentHeaders(reply), body };
    return (await idempotencyKeys.createUnlessAnswered(key)) ? undefined : findAnswer(idempotency);
  };

  // Not async: most requests have no key.
  app.addHook('preValidation', (request, reply, done) => {
    const key = request.headers['idempotency-key'];
    if (key === undefined || !request.routeOptions.config.isIdempotent) return done();
    begin(request, reply, String(key)).then((answer) => {
      if (answer) replay(reply, answer).send(answer.body);
      else done();
    }, done);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const { idempotency } = request.scope ?? {};
    if (!idempotency || idempotency.isStored) return done(null, payload);
    request.scope = { ...request.scope, idempotency: undefined };
    end(idempotency, reply, payload).then(
      (answer) => {
        if (answer) replay(reply.removeHeader('content-type'), answer);
        done(null, answer ? answer.body : payload);
      },
      // An error here would bypass the error handler. The response stands: nothing was stored, so a repetition does the same again.
      (error) => {
        request.log.warn({ err: error }, 'could not store the response to an Idempotency-Key');
        done(null, payload);
      },
    );
  });
}

/** Deletes the answers that are older than a day. Resolves to their number. */
export function deleteOldAnswers(database: Database, clock: () => Date): Promise<number> {
  const before = new Date(clock().getTime() - keptMs);
  return deleteAll((limit) => database.system().idempotencyKeys.deleteBefore(before, limit));
}

/** The answer that Fastify sends for this result. */
function successOf(request: FastifyRequest, reply: FastifyReply, result: unknown): Answer {
  const status = request.routeOptions.config.successStatus ?? 200;
  if (result === undefined) return { status, headers: {}, body: null };
  const headers = { 'content-type': 'application/json; charset=utf-8', ...headersOf(request, result) };
  const serialize = reply.getSerializationFunction(String(status)) ?? JSON.stringify;
  return { status, headers, body: serialize(result as Record<string, unknown>) };
}

/** The header fields of an answer that are repeated with it. The others belong to the request that gets them. */
function contentHeaders(reply: FastifyReply): Record<string, string> {
  const fields = ['content-type', 'etag', 'location', 'www-authenticate'];
  const entries = fields.map((name) => [name, reply.getHeader(name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

const replay = (reply: FastifyReply, { status, headers }: Answer) =>
  reply.code(status).headers(headers).header('idempotent-replayed', 'true');

const conflict = () =>
  new Problem('idempotency_conflict', 'This Idempotency-Key was sent with another request. Use a new key.');

const malformedKey = () => {
  const message = 'must have 1 to 255 printable ASCII characters';
  return new Problem('validation_failed', `headers /idempotency-key ${message}`, {
    errors: [{ in: 'headers', pointer: '/idempotency-key', message }],
  });
};
