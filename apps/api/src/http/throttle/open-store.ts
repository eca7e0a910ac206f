import type { FastifyBaseLogger } from 'fastify';
import { createMemoryStore, type ThrottleStore } from './memory-store.ts';

/** Opens the store of the rate limits: Redis if there is a URL, otherwise the memory of this process; undefined without rate limits. */
export async function openThrottleStore(
  { hasRateLimit, redisUrl }: { hasRateLimit: boolean; redisUrl: string },
  log: FastifyBaseLogger,
  now: () => number,
): Promise<ThrottleStore | undefined> {
  if (!hasRateLimit) return undefined;
  if (redisUrl === '') return createMemoryStore(now);
  const { createRedisStore } = await import('./redis-store.ts');
  return createRedisStore(redisUrl, (message, err) => log.warn({ err }, message), now);
}
