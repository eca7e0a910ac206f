// Leaky buckets, by the generic cell rate algorithm (ITU-T I.371): each attempt fills a bucket, and time drains it. A bucket is stored as the time
// at which it will be empty. This file keeps buckets in memory; redis-store.ts shares them between processes.

/** Attempts that are possible at once, and the rate after that. */
export interface Rate {
  burst: number;
  perMinute: number;
}

export interface Bucket extends Rate {
  key: string;
}

/** State of a bucket after an attempt. */
export interface Level extends Rate {
  /** Attempts that are possible now. */
  remaining: number;
  /** Time until one more attempt is possible; 0 if it is possible now. */
  waitMs: number;
  /** Time until the bucket is empty. */
  resetMs: number;
}

export interface ThrottleStore {
  /** Counts an attempt in all buckets, or in none if one of them is full. Resolves to the level of each. */
  take(buckets: readonly Bucket[]): Promise<Level[]>;
  /** Removes an attempt. */
  giveBack(bucket: Bucket): Promise<void>;
  /** Empties buckets and removes marks. */
  forget(keys: readonly string[]): Promise<void>;
  /** Sets a mark that expires after `ms`. */
  mark(key: string, ms: number): Promise<void>;
  isMarked(key: string): Promise<boolean>;
  close(): Promise<void>;
}

export const intervalOf = ({ perMinute }: Rate) => Math.ceil(60_000 / perMinute);

/** @param fillMs time until the bucket was empty before this attempt */
export function levelOf({ burst, perMinute }: Rate, fillMs: number, isTaken: boolean): Level {
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

/**
 * Creates a store in memory for one process. It is bounded: the least recently used buckets are dropped first.
 *
 * @param now in milliseconds
 */
export function createMemoryStore(now: () => number): ThrottleStore {
  const emptyAt = new Map<string, number>();

  const fillOf = (key: string) => Math.max(0, (emptyAt.get(key) ?? 0) - now());
  const set = (key: string, moment: number) => {
    emptyAt.delete(key); // keeps the map in order of use
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
