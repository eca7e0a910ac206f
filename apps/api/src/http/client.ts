import type { FastifyRequest } from 'fastify';
import { addressOf, networksOf } from './address.ts';
import { requestIds } from './request-id.ts';
import type { TurnCaller } from './throttle/turns.ts';

/** The client of a request, with the column names of audit events. */
export interface Client {
  user_agent: string | null;
  ip_address: string | null;
  /** Request id that the server assigned. */
  request_id: string | null;
  /** `X-Request-Id` that the client sent. */
  client_request_id: string | null;
}

/** For commands. */
export const noClient: Client = { user_agent: null, ip_address: null, request_id: null, client_request_id: null };

const userAgentLengthMax = 255;

export function clientOf(request: FastifyRequest): Client {
  const { own, callers } = requestIds(request);
  return {
    user_agent: request.headers['user-agent']?.slice(0, userAgentLengthMax) ?? null,
    ip_address: addressOf(request) ?? null,
    request_id: own,
    client_request_id: callers,
  };
}

/** Address for the turns of password hashing. An IPv6 /64 counts as one address. */
export const turnCallerOf = (account: string, { ip_address }: Pick<Client, 'ip_address'>): TurnCaller => ({
  account,
  address: networksOf(ip_address ?? undefined)[0]?.network ?? '',
});
