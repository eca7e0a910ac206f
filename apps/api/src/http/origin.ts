import type { FastifyRequest } from 'fastify';

/** Returns the origin at which clients reach this server: PUBLIC_URL, or what the request says. A trusted proxy may pass on what a client wrote as protocol. */
export const originOf = ({ protocol, host }: FastifyRequest, { publicUrl }: { publicUrl: string }): string =>
  publicUrl || `${protocol === 'https' ? 'https' : 'http'}://${host}`;
