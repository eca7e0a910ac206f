import Fastify from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runJobs } from './run-jobs.ts';
import type { Look } from './runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An application with a runner that records when it looks at the queue, in seconds since the start. */
async function startLooking(found: () => Partial<Look> | Promise<never> = () => ({})) {
  const app = Fastify();
  const start = performance.now();
  const looks: number[] = [];
  const look = async () => {
    looks.push(Math.round((performance.now() - start) / 1000));
    return { isBusy: false, nextMs: undefined, ...(await found()) };
  };
  runJobs(app, { look, start: () => {}, prepare: async () => {}, stop: async () => {} } as never, { stopMs: 1_000 });
  for (const path of ['/', '/health']) app.get(path, async () => 'ok');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, looks };
}
const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);

test('an idle process looks at the queue ever more rarely, and as before after a request', async () => {
  const { app, looks } = await startLooking();
  await minutes(11);
  expect(looks).toEqual([5, 10, 20, 40, 80, 160, 320, 640]);
  await app.inject('/health');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(looks.at(-1)).toBe(640);
  await app.inject('/');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(looks.at(-1)).toBe(670);
  await app.close();
});

test('the time between two looks grows to an hour', async () => {
  const { app, looks } = await startLooking();
  await minutes(10 * 60);
  const [last = 0, beforeLast = 0] = looks.reverse();
  expect(last - beforeLast).toBe(3_600);
  await app.close();
});

test('an idle process looks at the queue when the next job is due', async () => {
  const dueAt = performance.now() + 1_000_000;
  const { app, looks } = await startLooking(() => {
    const nextMs = dueAt - performance.now();
    return nextMs > 0 ? { nextMs } : {};
  });
  await minutes(17);
  expect(looks).toContain(1_000);
  await app.close();
});

test.each([
  ['a process with jobs looks at its usual pace', () => ({ isBusy: true })],
  ['a process whose database is away looks at its usual pace', () => Promise.reject(new Error('away'))],
])('%s', async (_, found) => {
  const { app, looks } = await startLooking(found);
  await minutes(1);
  expect(looks).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
  await app.close();
});

test('requests that come again and again do not put off a look', async () => {
  const { app, looks } = await startLooking();
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await app.inject('/');
  }
  expect(looks.length).toBeGreaterThanOrEqual(11);
  await app.close();
});
