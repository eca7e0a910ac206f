import type { FastifyRequest } from 'fastify';
import { addressOf, networksOf } from '../http/address.ts';
import { keyOf, tooManyRequests } from '../http/throttle/limiter.ts';
import { createMemoryStore, type Rate } from '../http/throttle/memory-store.ts';
import type { PresentedApiKey } from './api-key.ts';

/** Look-ups of keys that do not work, per address. An IPv6 /64 counts as one address; its /56 has 4 times and its /48 16 times the limit. */
const failures: Rate = { burst: 300, perMinute: 60 };
/** A key is not counted for this long after its last use, so strangers behind the same address cannot block it. */
const workedMs = 600_000;

/**
 * Limits how often an address can make the database look up API keys that do not work. Counts in this process's memory, because a round trip to Redis for every request
 * would cost more than the look-up.
 *
 * @param now in milliseconds
 */
export function createApiKeyLookups(now: () => number) {
  const store = createMemoryStore(now);
  const bucketsOf = (request: FastifyRequest) =>
    networksOf(addressOf(request)).map(({ network, factor }) => ({
      burst: failures.burst * factor,
      perMinute: failures.perMinute * factor,
      key: keyOf('api key', 'address', network),
    }));
  const markOf = ({ userId, apiKeyId, secretHash }: PresentedApiKey) =>
    `${userId} ${apiKeyId} ${secretHash.toString('base64url')}`;

  return {
    /** Counts a look-up before it is made. @throws Problem `rate_limited` */
    count: async (request: FastifyRequest, key: PresentedApiKey): Promise<void> => {
      if (await store.isMarked(markOf(key))) return;
      const full = (await store.take(bucketsOf(request))).find(({ waitMs }) => waitMs > 0);
      if (full) throw tooManyRequests(full);
    },

    /** Uncounts the look-up of a key that works. */
    worked: async (request: FastifyRequest, key: PresentedApiKey): Promise<void> => {
      const wasCounted = !(await store.isMarked(markOf(key)));
      await store.mark(markOf(key), workedMs);
      if (wasCounted) for (const bucket of bucketsOf(request)) await store.giveBack(bucket);
    },

    /** From now on, look-ups of this key count. */
    failed: (key: PresentedApiKey): Promise<void> => store.forget([markOf(key)]),
  };
}
