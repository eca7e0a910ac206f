import { createClient } from '@redis/client';

// Buckets that fill up with what is tried and run dry with time, by the generic cell rate algorithm (ITU-T I.371): of each, all that is
// kept is the moment at which it will be empty. In this process's memory, or in Redis for all processes together.

/** How much may be tried at once, and how much from then on. */
export interface Rate {
  burst: number;
  perMinute: number;
}

export interface Bucket extends Rate {
  key: string;
}

/** What a bucket says of one try. */
export interface Level extends Rate {
  /** Tries that could follow at once. */
  remaining: number;
  /** Until there is room for one: 0 where there is. */
  waitMs: number;
  /** Until it is empty again. */
  resetMs: number;
}

export interface ThrottleStore {
  /** Puts a try into all of the buckets, or, where one of them is full, into none. Resolves to a level for each. */
  take(buckets: readonly Bucket[]): Promise<Level[]>;
  /** Takes a try out again. */
  giveBack(bucket: Bucket): Promise<void>;
  /** Empties buckets, or forgets marks. */
  forget(keys: readonly string[]): Promise<void>;
  /** Sets a mark, for a while. */
  mark(key: string, ms: number): Promise<void>;
  isMarked(key: string): Promise<boolean>;
  close(): Promise<void>;
}

const intervalOf = ({ perMinute }: Rate) => Math.ceil(60_000 / perMinute);

/** @param fillMs until the bucket is empty, as it was before this try */
function levelOf({ burst, perMinute }: Rate, fillMs: number, isTaken: boolean): Level {
  const interval = intervalOf({ burst, perMinute });
  const afterMs = isTaken ? fillMs + interval : fillMs;
  return {
    burst,
    perMinute,
    remaining: Math.max(0, Math.floor((burst * interval - afterMs) / interval)),
    waitMs: Math.max(0, fillMs + interval - burst * interval),
    resetMs: afterMs,
  };
}

const entriesMax = 100_000;

/** For one process. Bounded: where an attacker fills it, what was tried longest ago is forgotten first. */
export function createMemoryStore(now: () => number = Date.now): ThrottleStore {
  const emptyAt = new Map<string, number>();

  const fillOf = (key: string) => Math.max(0, (emptyAt.get(key) ?? 0) - now());
  const set = (key: string, moment: number) => {
    emptyAt.delete(key); // so that the map's order is that of the last use
    emptyAt.set(key, moment);
    if (emptyAt.size > entriesMax) drop();
  };
  const drop = () => {
    for (const [key, moment] of emptyAt) if (moment <= now()) emptyAt.delete(key);
    for (const key of emptyAt.keys()) {
      if (emptyAt.size <= entriesMax * 0.9) break;
      emptyAt.delete(key);
    }
  };

  return {
    take: async (buckets) => {
      const fills = buckets.map(({ key }) => fillOf(key));
      const isTaken = buckets.every((bucket, index) => levelOf(bucket, fills[index] ?? 0, false).waitMs === 0);
      for (const [index, bucket] of buckets.entries())
        if (isTaken) set(bucket.key, now() + (fills[index] ?? 0) + intervalOf(bucket));
      return buckets.map((bucket, index) => levelOf(bucket, fills[index] ?? 0, isTaken));
    },
    giveBack: async (bucket) => {
      const moment = emptyAt.get(bucket.key);
      if (moment !== undefined) set(bucket.key, moment - intervalOf(bucket));
    },
    forget: async (keys) => {
      for (const key of keys) emptyAt.delete(key);
    },
    mark: async (key, ms) => set(key, now() + ms),
    isMarked: async (key) => fillOf(key) > 0,
    close: async () => {},
  };
}

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
export function createRedisStore(url: string, warn: (message: string, error?: unknown) => void): ThrottleStore {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 2_000, reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, 5_000) },
  });
  const memory = createMemoryStore();
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
