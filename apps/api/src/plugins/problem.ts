import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { DatabaseUnavailable } from '@quoin/db';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type ProblemCode, problems } from '../errors.ts';
import { securityHeaders } from './security-headers.ts';
import { inputErrors, validationProblem } from './validation.ts';

// Every error becomes an answer here, and nowhere else: application/problem+json (RFC 9457) with a stable code. What is not meant for
// the caller (a stack, SQL, a name of ours) goes to the log alone.

/** Fastify's own errors that have a code of ours; whatever else it refuses is a malformed request. */
const fastifyCodes: Record<string, ProblemCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
};

const details: Partial<Record<ProblemCode, string>> = {
  malformed_json: 'The body is not valid JSON in UTF-8.',
  malformed_request: 'The request cannot be understood.',
  unsupported_media_type: 'Send application/json.',
  payload_too_large: 'The body is larger than this route takes.',
  internal_error: 'It has been logged under this request_id.',
  database_unavailable: 'Try again in a moment.',
};

export function problemResponses(app: FastifyInstance) {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) request.log.error({ err: problem.cause ?? problem }, problem.code);
    // Where nothing is, no fault of the body matters.
    return sendProblem(request.is404 && problem.status < 500 ? nothingHere() : problem, request, reply);
  });

  app.setNotFoundHandler((request, reply) => sendProblem(nothingHere(), request, reply));
}

const nothingHere = () => new Problem('not_found', 'There is nothing at this path.');

/** The answer to a URL that cannot be decoded: no route is chosen yet, so that no hook has run. */
export function frameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  return sendProblem(toProblem(error), request, reply.headers({ 'x-request-id': request.id, ...securityHeaders }));
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DatabaseUnavailable) return plain('database_unavailable', error);
  if (error.validation) return validationProblem(inputErrors(error));
  const code = fastifyCodes[error.code];
  if (code) return plain(code, error);
  return plain(
    error.statusCode !== undefined && error.statusCode < 500 ? 'malformed_request' : 'internal_error',
    error,
  );
}

const plain = (code: ProblemCode, cause: unknown) =>
  new Problem(code, details[code] ?? problems[code].title, { cause });

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply) {
  const oauth = request.routeOptions.config.oauth ? oauthError(problem) : {};
  const path = request.url.split('?', 1)[0] ?? '';
  const body = JSON.stringify({ ...problemBody(problem, path, request.id), ...oauth });
  return reply.code(problem.status).headers(problem.headers).type('application/problem+json').send(body);
}

function problemBody({ code, status, detail, errors }: Problem, instance: string, request_id: string) {
  return {
    type: `urn:quoin:problem:${code}`,
    title: problems[code].title,
    status,
    detail,
    code,
    instance,
    request_id,
    ...(errors && { errors }),
  };
}

/** What OAuth 2 clients look for (RFC 6749, 5.2). */
function oauthError({ code, status, detail, errors }: Problem) {
  const byCode: Partial<Record<ProblemCode, string>> = {
    invalid_credentials: 'invalid_grant',
    account_inactive: 'invalid_grant',
    invalid_token: 'invalid_grant',
    rate_limited: 'temporarily_unavailable',
  };
  const isGrantType = errors?.some(({ pointer }) => pointer === '/grant_type');
  const byStatus = status >= 503 ? 'temporarily_unavailable' : status >= 500 ? 'server_error' : 'invalid_request';
  return { error: isGrantType ? 'unsupported_grant_type' : (byCode[code] ?? byStatus), error_description: detail };
}

/** The answer to what is not even HTTP: there is no request yet, so it is written to the socket by hand. */
export function clientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const status = statuses[error.code ?? ''] ?? 400;
  const id = randomUUID();
  const body = JSON.stringify({ ...problemBody(plain('malformed_request', error), '', id), status });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nX-Request-Id: ${id}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
