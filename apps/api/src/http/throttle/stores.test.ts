import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { testRedisUrl } from '../../../testing/test-app.ts';
import { createMemoryStore, type ThrottleStore } from './memory-store.ts';
import { createRedisStore } from './redis-store.ts';

// Both stores pass the same tests. Redis is the server of TEST_REDIS_URL.

const opened: ThrottleStore[] = [];
const keep = (store: ThrottleStore) => {
  opened.push(store);
  return store;
};
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

const openRedis = (url = testRedisUrl) => {
  const warnings: string[] = [];
  const store = keep(createRedisStore(url ?? '', (warning) => void warnings.push(warning), Date.now));
  return { store, warnings };
};
const stores: [name: string, open: () => Promise<ThrottleStore>][] = [
  ['in memory', async () => keep(createMemoryStore(Date.now))],
  ['in Redis', async () => openRedis().store],
];

describe.each(stores)('a bucket %s', (name, open) => {
  const run = test.skipIf(name === 'in Redis' && !testRedisUrl);
  const bucket = (rate = { burst: 5, perMinute: 60 }) => ({ ...rate, key: randomUUID() });
  const isTaken = async (store: ThrottleStore, one: ReturnType<typeof bucket>) =>
    (await store.take([one])).every(({ waitMs }) => waitMs === 0);

  run('a bucket %s accepts its burst and no more, also concurrently', async () => {
    const store = await open();
    const one = bucket();
    const levels = (await Promise.all(Array.from({ length: 20 }, () => store.take([one])))).flat();
    expect(levels.filter(({ waitMs }) => waitMs === 0)).toHaveLength(5);
    const refused = levels.filter(({ waitMs }) => waitMs > 0);
    for (const { waitMs, remaining } of refused) {
      expect(waitMs).toBeGreaterThan(500);
      expect(waitMs).toBeLessThanOrEqual(1000);
      expect(remaining).toBe(0);
    }
    expect(levels.map(({ remaining }) => remaining).slice(0, 5)).toEqual([4, 3, 2, 1, 0]);
  });

  run('a bucket %s gains one attempt per interval', async () => {
    const store = await open();
    const one = bucket({ burst: 2, perMinute: 600 }); // one in 100 ms
    for (const expected of [true, true, false]) expect(await isTaken(store, one)).toBe(expected);
    await expect.poll(() => isTaken(store, one), { interval: 20 }).toBe(true);
    expect(await isTaken(store, one)).toBe(false);
  });

  run('a bucket %s does not count an attempt that another bucket refuses', async () => {
    const store = await open();
    const [full, other] = [bucket({ burst: 1, perMinute: 1 }), bucket()];
    await store.take([full]);
    for (let n = 0; n < 10; n++) {
      const [ofFull, ofOther] = await store.take([full, other]);
      expect(ofFull?.waitMs).toBeGreaterThan(0);
      expect(ofOther).toMatchObject({ remaining: 5, waitMs: 0 });
    }
  });

  run('a bucket %s gives back attempts and can be emptied', async () => {
    const store = await open();
    const one = bucket({ burst: 1, perMinute: 1 });
    expect(await isTaken(store, one)).toBe(true);
    await store.giveBack(one);
    expect(await isTaken(store, one)).toBe(true);
    expect(await isTaken(store, one)).toBe(false);
    await store.forget([one.key, randomUUID()]);
    expect(await isTaken(store, one)).toBe(true);
    await store.giveBack(bucket());
  });

  run('a mark %s expires', async () => {
    const store = await open();
    const key = randomUUID();
    expect(await store.isMarked(key)).toBe(false);
    await store.mark(key, 150);
    expect(await store.isMarked(key)).toBe(true);
    await expect.poll(() => store.isMarked(key), { interval: 20 }).toBe(false);
  });
});

test('the memory store is bounded and keeps the latest entries', async () => {
  const store = keep(createMemoryStore(Date.now));
  const attacked = { key: 'attacked', burst: 1, perMinute: 1 };
  for (let n = 0; n < 250_000; n++) {
    await store.take([{ key: `key ${n}`, burst: 1, perMinute: 1 }]);
    if (n % 10_000 === 0) await store.take([attacked]);
    if (n % 10_000 === 0) await store.mark('recent', 60_000);
  }
  expect(await store.isMarked('recent')).toBe(true);
  expect((await store.take([{ key: 'key 0', burst: 1, perMinute: 1 }]))[0]?.waitMs).toBe(0);
});

test.skipIf(!testRedisUrl)('two processes share a bucket in Redis', async () => {
  const [{ store: one }, { store: other }] = [openRedis(), openRedis()];
  const bucket = { key: randomUUID(), burst: 10, perMinute: 1 };
  const levels = await Promise.all(Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? one : other).take([bucket])));
  expect(levels.flat().filter(({ waitMs }) => waitMs === 0)).toHaveLength(10);
});

test('without Redis, a process has its own rate limits and warns once', async () => {
  const { store, warnings } = openRedis('redis://127.0.0.1:1');
  const bucket = { key: randomUUID(), burst: 3, perMinute: 1 };
  const levels = [];
  for (let n = 0; n < 5; n++) levels.push(...(await store.take([bucket])));
  expect(levels.map(({ waitMs }) => waitMs === 0)).toEqual([true, true, true, false, false]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('Redis is unreachable');
});
