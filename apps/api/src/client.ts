import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** Where a request came from, as far as we know, under the names that the columns have: to be spread into a row. */
export interface Client {
  user_agent: string | null;
  ip_address: string | null;
  request_id: string | null;
}

/** For what no request has caused: the commands. */
export const noClient: Client = { user_agent: null, ip_address: null, request_id: null };

const userAgentLengthMax = 255;

export const clientOf = ({ id, ip, headers }: FastifyRequest): Client => ({
  user_agent: headers['user-agent']?.slice(0, userAgentLengthMax) ?? null,
  ip_address: storableAddress(ip),
  request_id: id,
});

/** Behind a proxy it is what a header says, which can be anything. Without the zone of a link-local address, which PostgreSQL does not know. */
function storableAddress(address: string): string | null {
  const [bare = ''] = address.split('%');
  return isIP(bare) ? bare : null;
}
