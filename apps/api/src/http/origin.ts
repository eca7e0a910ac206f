import type { FastifyRequest } from 'fastify';

/** Returns the origin at which clients reach this server: PUBLIC_URL, or what the request says. */
export const originOf = ({ protocol, host }: FastifyRequest, { publicUrl }: { publicUrl: string }): string =>
  publicUrl || `${protocol}://${host}`;
