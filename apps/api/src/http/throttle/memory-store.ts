// Buckets that fill up with what is tried and run dry with time, by the generic cell rate algorithm (ITU-T I.371): of each, all that is
// kept is the moment at which it will be empty. In this process's memory here; in Redis, for all processes together, beside this.

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

export const intervalOf = ({ perMinute }: Rate) => Math.ceil(60_000 / perMinute);

/** @param fillMs until the bucket is empty, as it was before this try */
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
 * Buckets of one process. Bounded: if an attacker fills the store, the buckets that were used longest ago go first.
 *
 * @param now in milliseconds
 */
export function createMemoryStore(now: () => number): ThrottleStore {
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
