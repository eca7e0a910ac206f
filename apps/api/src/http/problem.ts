import {
  AlreadyAnswered,
  DatabaseUnavailable,
  isInvalidValue,
  isReferenceViolation,
  isRefusedByPolicy,
  StatementTimeout,
  violatedConstraint,
} from '@quoin/db';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { discardBody, unsupportedMediaType } from './body.ts';
import { invalid, notFound, Problem, type ProblemCode, problems } from './errors.ts';
import { oauthError, oauthStatusOf } from './oauth-errors.ts';
import { invalidQuery } from './page.ts';
import { securityHeaders } from './security-headers.ts';
import { inputErrors, validationProblem } from './validation.ts';

// Converts errors to application/problem+json (RFC 9457) with a stable code. protocol.ts does it for malformed HTTP. Stacks, SQL and internal names
// go to the log only.

/** Fastify's own errors that have a code here. The others below 500 are malformed requests. */
const fastifyCodes: Record<string, ProblemCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
};

const details: Partial<Record<ProblemCode, string>> = {
  malformed_json: 'The body is not valid JSON in UTF-8.',
  malformed_request: 'The request cannot be understood.',
  payload_too_large: 'The body is larger than this route accepts.',
  internal_error: 'The server logged the error under this request_id.',
  database_unavailable: 'The database cannot be reached. Try again later.',
  overloaded: 'The database took too long. Try again later.',
  in_use: 'Other rows refer to it. Change or delete them first.',
};

export function problemResponses(app: FastifyInstance) {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const problem = toProblem(error, request);
    // Rejections are logged without a stack, which would fill the log under a flood.
    if (problem.code === 'overloaded' && !problem.cause) request.log.warn(problem.code);
    else if (problem.status >= 500) request.log.error({ err: problem.cause ?? problem }, problem.code);
    if (problem.code === 'payload_too_large') await discardBody(request.raw);
    return sendProblem(problem, request, reply);
  });

  // Unknown paths return 404 before the body is parsed.
  app.addHook('preParsing', (request, _reply, payload, done) => done(request.is404 ? nothingHere() : null, payload));
  app.setNotFoundHandler((request, reply) => sendProblem(nothingHere(), request, reply));
}

const nothingHere = () => new Problem('not_found', 'There is nothing at this path.');

/** Answers a URL that cannot be decoded. No hook has run, because no route is chosen yet. */
export function frameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const headers = { 'x-request-id': request.id, ...securityHeaders };
  return sendProblem(toProblem(error, request), request, reply.headers(headers));
}

function toProblem(error: FastifyError, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DatabaseUnavailable) return plain('database_unavailable', error);
  if (error instanceof StatementTimeout) {
    const { problems: own } = request.routeOptions.config;
    return own?.includes('query_too_expensive') ? tooExpensive(error) : plain('overloaded', error);
  }
  // idempotency.ts replaces this response with the stored one.
  if (error instanceof AlreadyAnswered) return plain('idempotency_conflict', error);
  const violation = referenceProblem(error, request) ?? refusedInOrganization(error, request);
  if (violation) return violation;
  if (isForgedCursor(error, request)) return invalidQuery('/cursor', 'is not a cursor of this list in this order');
  if (error.validation) return validationProblem(inputErrors(error));
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return unsupportedMediaType(request, error);
  const code = fastifyCodes[error.code];
  if (code) return plain(code, error);
  return plain(
    error.statusCode !== undefined && error.statusCode < 500 ? 'malformed_request' : 'internal_error',
    error,
  );
}

/**
 * Returns the problem of a write that violated a foreign key. The last part of its name is the column: `fk_products_category_id`. The body named a row that does
 * not exist for its owner; or the account, the organization or the parent in the path is gone; or the deleted row is referred to.
 */
function referenceProblem(error: unknown, { method, body }: FastifyRequest): Problem | undefined {
  if (!isReferenceViolation(error)) return undefined;
  const constraint = violatedConstraint(error) ?? '';
  const field = Object.keys((body ?? {}) as object).find((name) => name !== 'id' && constraint.endsWith(`_${name}`));
  if (field !== undefined) return invalid(`/${field}`, 'does not exist');
  if (method === 'DELETE') return plain('in_use', error);
  return /_(id|membership)$/.test(constraint) ? notFound(error) : undefined;
}

/** Returns the problem of a write that the policy of an organization refused: the membership of the caller has ended during the request. */
const refusedInOrganization = (error: unknown, { routeOptions }: FastifyRequest): Problem | undefined =>
  isRefusedByPolicy(error) && routeOptions.url?.includes('/:organization_id') ? notFound(error) : undefined;

/** Whether a cursor of a sorted list contains a value that is not of the column's type. Only a client that makes up cursors can cause it. */
const isForgedCursor = (error: unknown, { query }: FastifyRequest) =>
  isInvalidValue(error) && ['sort', 'cursor'].every((name) => name in ((query ?? {}) as object));

const tooExpensive = (cause: unknown) =>
  new Problem('query_too_expensive', 'The database took too long. Narrow the request with filters.', {
    errors: [{ in: 'query', pointer: '', message: 'takes too long to answer' }],
    cause,
  });

const plain = (code: ProblemCode, cause: unknown) =>
  new Problem(code, details[code] ?? problems[code].title, { cause });

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply) {
  const { oauth: oauthForm } = request.routeOptions.config;
  if (oauthForm === 'token') return sendOAuthError(problem, request, reply);
  const oauth = oauthForm ? oauthError(problem) : {};
  const path = request.url.split('?', 1)[0] ?? '';
  const body = JSON.stringify({ ...problemBody(problem, path, request.id), ...oauth });
  for (const name of ['etag', 'location']) reply.removeHeader(name);
  return reply.code(problem.status).headers(problem.headers).type('application/problem+json').send(body);
}

/** The token endpoint answers as RFC 6749 says (5.2), which clients of OAuth 2 understand. */
function sendOAuthError(problem: Problem, request: FastifyRequest, reply: FastifyReply) {
  const { 'www-authenticate': _, ...headers } = problem.headers;
  const { code, fields } = problem;
  const body = JSON.stringify({ ...oauthError(problem), code, request_id: request.id, ...fields });
  return reply.code(oauthStatusOf(code)).headers(headers).type('application/json').send(body);
}

/** The body of a problem response. */
export function problemBody({ code, status, detail, errors, fields }: Problem, instance: string, request_id: string) {
  return {
    type: `urn:quoin:problem:${code}`,
    title: problems[code].title,
    status,
    detail,
    code,
    instance,
    request_id,
    ...(errors && { errors }),
    ...fields,
  };
}
