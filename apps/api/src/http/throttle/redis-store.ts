import { createClient } from '@redis/client';
import { createMemoryStore, intervalOf, levelOf, type ThrottleStore } from './memory-store.ts';

// Buckets in Redis, shared by all processes. A separate file, loaded on demand: the client takes a tenth of the start time.

/** KEYS: buckets. ARGV: interval and burst of each. Returns 1 if the attempt was counted, and the fill of each bucket before it. */
const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {1}
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local fill = math.max(0, (tonumber(redis.call('GET', key) or 0) or 0) - now)
  answer[i + 1] = fill
  if fill + interval > burst * interval then answer[1] = 0 end
end
if answer[1] == 1 then
  for i, key in ipairs(KEYS) do
    local fill = answer[i + 1] + tonumber(ARGV[2 * i - 1])
    redis.call('SET', key, string.format('%.0f', now + fill), 'PX', string.format('%.0f', fill))
  end
end
return answer
`;

const giveBackScript = `
local moment = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
if moment > 0 then redis.call('SET', KEYS[1], string.format('%.0f', moment - ARGV[1]), 'KEEPTTL') end
return 0
`;

/** Redis is treated as unreachable if it does not answer within this time. */
const answerMsMax = 500;
/** While Redis is unreachable, one request per interval tries it again. */
const askAgainMs = 1_000;
/** The hash tag keeps the keys of one script on one node of a cluster. */
const prefix = '{quoin}throttle:';

/**
 * Creates a store for any number of processes. If Redis is unreachable, each process throttles on its own.
 *
 * @param warn called once when Redis becomes unreachable, and once when it answers again
 */
export function createRedisStore(
  url: string,
  warn: (message: string, error?: unknown) => void,
  clock: () => number,
): ThrottleStore {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 2_000, reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, 5_000) },
  });
  const memory = createMemoryStore(clock);
  let isUnreachable = false;
  let askAgainAt = 0;

  const noteUnreachable = (error: unknown) => {
    if (!isUnreachable) warn('Redis is unreachable: this process throttles on its own until it answers', error);
    isUnreachable = true;
    askAgainAt = Date.now() + askAgainMs;
  };
  client.on('error', noteUnreachable);
  // Not awaited, because the server starts without Redis too.
  const connected = client.connect().catch(noteUnreachable);

  const orMemory = async <T>(ask: () => Promise<T>, fallback: () => Promise<T>): Promise<T> => {
    if (isUnreachable && Date.now() < askAgainAt) return fallback();
    let timer: NodeJS.Timeout | undefined;
    try {
      const tooLate = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${answerMsMax} ms`)), answerMsMax);
      });
      const answer = await Promise.race([isUnreachable ? ask() : connected.then(ask), tooLate]);
      if (isUnreachable) warn('Redis answers again');
      isUnreachable = false;
      return answer;
    } catch (error) {
      noteUnreachable(error);
      return await fallback();
    } finally {
      clearTimeout(timer);
    }
  };
  const keyOf = (key: string) => prefix + key;

  return {
    take: (buckets) =>
      orMemory(
        async () => {
          const [taken, ...fills] = (await client.eval(takeScript, {
            keys: buckets.map(({ key }) => keyOf(key)),
            arguments: buckets.flatMap((bucket) => [String(intervalOf(bucket)), String(bucket.burst)]),
          })) as number[];
          return buckets.map((bucket, index) => levelOf(bucket, fills[index] ?? 0, taken === 1));
        },
        () => memory.take(buckets),
      ),
    giveBack: (bucket) =>
      orMemory(
        async () =>
          void (await client.eval(giveBackScript, {
            keys: [keyOf(bucket.key)],
            arguments: [String(intervalOf(bucket))],
          })),
        () => memory.giveBack(bucket),
      ),
    forget: (keys) =>
      orMemory(
        async () => void (await client.del(keys.map(keyOf))),
        () => memory.forget(keys),
      ),
    mark: (key, ms) =>
      orMemory(
        async () => void (await client.set(keyOf(key), '1', { expiration: { type: 'PX', value: ms } })),
        () => memory.mark(key, ms),
      ),
    isMarked: (key) =>
      orMemory(
        async () => (await client.exists(keyOf(key))) === 1,
        () => memory.isMarked(key),
      ),
    close: async () => {
      if (client.isOpen) client.destroy();
      await connected;
    },
  };
}
