import { createClient } from '@redis/client';
import { createMemoryStore, intervalOf, levelOf, type ThrottleStore } from './memory-store.ts';

// Buckets in Redis, for all processes together. A file by itself, since loading the client takes a tenth of a start.

/** KEYS: the buckets. ARGV: for each its interval and its burst. Answers whether it was taken, and how full each was before. */
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

/** A Redis that does not answer within this is treated as one that is away. */
const answerMsMax = 500;
/** While it is away, only one request in a while waits for it. */
const askAgainMs = 1_000;
/** With a hash tag, so that a cluster keeps the keys of one script together. */
const prefix = '{quoin}throttle:';

/**
 * For any number of processes. While Redis is away every process goes by its own memory: throttling neither stops nor stops anybody.
 *
 * @param warn told once when Redis goes away, and once when it is back
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
  let isAway = false;
  let askAgainAt = 0;

  const noteAway = (error: unknown) => {
    if (!isAway) warn('Redis does not answer: until it does, this process throttles by its own memory', error);
    isAway = true;
    askAgainAt = Date.now() + askAgainMs;
  };
  client.on('error', noteAway);
  // Not waited for: a start does not depend on Redis.
  const connected = client.connect().catch(noteAway);

  const orMemory = async <T>(ask: () => Promise<T>, fallback: () => Promise<T>): Promise<T> => {
    if (isAway && Date.now() < askAgainAt) return fallback();
    let timer: NodeJS.Timeout | undefined;
    try {
      const tooLate = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${answerMsMax} ms`)), answerMsMax);
      });
      const answer = await Promise.race([isAway ? ask() : connected.then(ask), tooLate]);
      if (isAway) warn('Redis answers again');
      isAway = false;
      return answer;
    } catch (error) {
      noteAway(error);
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
