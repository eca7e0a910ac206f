import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

/** Response header fields that a page of another origin may read. */
const exposedHeaders = [
  'etag',
  'idempotent-replayed',
  'location',
  'retry-after',
  'x-request-id',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
];

/** Allows pages of these origins to call the API. Without origins, no page of another origin can. */
export async function crossOrigin(app: FastifyInstance, origins: string[]): Promise<void> {
  if (origins.length === 0) return;
  const isOpen = origins.includes('*');
  await app.register(cors, {
    origin: isOpen ? '*' : origins,
    // Allows session cookies. Browsers refuse credentials with `*`.
    credentials: !isOpen,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    maxAge: 600,
    strictPreflight: false,
  });
}
