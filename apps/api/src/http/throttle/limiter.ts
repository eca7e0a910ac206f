import { createHash } from 'node:crypto';
import { Problem } from '../errors.ts';
import type { Level, Rate, ThrottleStore } from './memory-store.ts';

/** Rate limits for services: what counts is known only there, such as whether an email really changes. */
export interface Limiter {
  /** @throws Problem `rate_limited` if the bucket is full */
  take(name: string, key: string, rate: Rate): Promise<void>;
  /** Gives back the room that a try has taken. */
  giveBack(buckets: readonly { name: string; key: string; rate: Rate }[]): Promise<void>;
  /** As `take`, but resolves to whether there was room in all buckets. */
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

/** The key of a bucket: hashed, so that no email lies in the store and all keys have one length. */
export const keyOf = (name: string, kind: string, value: string): string =>
  createHash('sha256')
    .update(JSON.stringify([name, kind, value]))
    .digest('base64url')
    .slice(0, 22);

/** Rounds up to at least 1: with a `Retry-After` of 0, clients come back at once. */
export const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

export const tooManyRequests = ({ waitMs }: Pick<Level, 'waitMs'>): Problem =>
  new Problem('rate_limited', `Too many requests. Try again in ${secondsOf(waitMs)} s.`, {
    headers: { 'retry-after': String(secondsOf(waitMs)) },
  });
