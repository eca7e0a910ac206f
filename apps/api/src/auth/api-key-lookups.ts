import type { FastifyRequest } from 'fastify';
import { addressOf, networksOf } from '../http/address.ts';
import { keyOf, tooManyRequests } from '../http/throttle/limiter.ts';
import { createMemoryStore, type Rate } from '../http/throttle/memory-store.ts';
import type { PresentedApiKey } from './api-key.ts';

/** Look-ups of keys that do not work, per address. An IPv6 /64 counts as one address. */
const failures: Rate = { burst: 300, perMinute: 60 };
/** A key that worked is not counted for this long, so strangers behind the same address cannot block it. */
const workedMs = 600_000;

/**
 * Limits how often an address can make the database look up API keys that do not work. Counts in this process's memory, because a round trip to Redis for every request
 * would cost more than the look-up.
 *
 * @param now in milliseconds
 */
export function createApiKeyLookups(now: () => number) {
  const store = createMemoryStore(now);
  const bucketOf = (request: FastifyRequest) => ({
    ...failures,
    key: keyOf('api key', 'address', networksOf(addressOf(request))[0]?.network ?? ''),
  });
  const markOf = ({ secretHash }: PresentedApiKey) => secretHash.toString('base64url');

  return {
    /** Counts a look-up before it is made. @throws Problem `rate_limited` */
    count: async (request: FastifyRequest, key: PresentedApiKey): Promise<void> => {
      if (await store.isMarked(markOf(key))) return;
      const [level] = await store.take([bucketOf(request)]);
      if (level && level.waitMs > 0) throw tooManyRequests(level);
    },

    /** Uncounts the look-up of a key that works. */
    worked: async (request: FastifyRequest, key: PresentedApiKey): Promise<void> => {
      if (await store.isMarked(markOf(key))) return;
      await store.mark(markOf(key), workedMs);
      await store.giveBack(bucketOf(request));
    },

    /** From now on, look-ups of this key count. */
    failed: (key: PresentedApiKey): Promise<void> => store.forget([markOf(key)]),
  };
}

export type ApiKeyLookups = ReturnType<typeof createApiKeyLookups>;
