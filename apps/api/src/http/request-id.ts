import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';

// A request has the id that its caller chose, in the response and in every log line, or one of the server's. Audit events keep the two apart,
// because a caller may choose the id of somebody else's request.

const callersPattern = /^[A-Za-z0-9._-]{1,128}$/;

/** The value of `X-Request-Id`: the caller's if it is 1 to 128 of `A-Z a-z 0-9 . _ -`, otherwise a new one. */
export const requestId = ({ headers }: IncomingMessage): string => callersId(headers) ?? randomUUID();

const callersId = ({ 'x-request-id': given }: IncomingMessage['headers']): string | undefined =>
  typeof given === 'string' && callersPattern.test(given) ? given : undefined;

const ownIds = new WeakMap<FastifyRequest, string>();

/** The id that the server gave the request, and the id that its caller gave it, if any. The log line of the request has both. */
export function requestIds(request: FastifyRequest): { own: string; callers: string | null } {
  const callers = callersId(request.headers) ?? null;
  if (callers === null) return { own: request.id, callers };
  const own = ownIds.get(request) ?? randomUUID();
  ownIds.set(request, own);
  return { own, callers };
}

/** The server's id of a request with a caller's id. Generated when it is first read. */
export const ownIdOf = (request: FastifyRequest): string | undefined => ownIds.get(request);
