import { createHash } from 'node:crypto';
import { Problem } from '../errors.ts';
import type { Level, Rate, ThrottleStore } from './memory-store.ts';

/** Rate limits for services, where only the service knows whether a request counts: for example, whether an email changes. */
export interface Limiter {
  /** @throws Problem `rate_limited` if the bucket is full */
  take(name: string, key: string, rate: Rate): Promise<void>;
  /** Removes an attempt from buckets. */
  giveBack(buckets: readonly { name: string; key: string; rate: Rate }[]): Promise<void>;
  /** Same as `take`, for several buckets, but resolves to false instead of throwing. */
  allows(buckets: readonly { name: string; key: string; rate: Rate }[]): Promise<boolean>;
}

/** @param store undefined if nothing is limited */
export function createLimiter(store: ThrottleStore | undefined): Limiter {
  return {
    take: async (name, key, rate) => {
      const [level] = (await store?.take([{ ...rate, key: keyOf(name, 'limit', key) }])) ?? [];
      if (level && level.waitMs > 0) throw tooManyRequests(level);
    },
    giveBack: async (buckets) => {
      for (const { name, key, rate } of buckets) await store?.giveBack({ ...rate, key: keyOf(name, 'limit', key) });
    },
    allows: async (buckets) => {
      const levels = await store?.take(
        buckets.map(({ name, key, rate }) => ({ ...rate, key: keyOf(name, 'limit', key) })),
      );
      return !levels?.some(({ waitMs }) => waitMs > 0);
    },
  };
}

/** Returns the key of a bucket. It is hashed, so that the store contains no email addresses and all keys have the same length. */
export const keyOf = (name: string, kind: string, value: string): string =>
  createHash('sha256')
    .update(JSON.stringify([name, kind, value]))
    .digest('base64url')
    .slice(0, 22);

/** Converts to seconds, at least 1: with `Retry-After: 0`, clients retry at once. */
export const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

export const tooManyRequests = ({ waitMs }: Pick<Level, 'waitMs'>): Problem =>
  new Problem('rate_limited', `Too many requests. Try again in ${secondsOf(waitMs)} s.`, {
    headers: { 'retry-after': String(secondsOf(waitMs)) },
  });
