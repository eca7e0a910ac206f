import Fastify from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createJobs } from './jobs.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An application with one job that records when it ran, in seconds since the start. */
async function startJobs(options: { waiting?: () => number; items?: () => number } = {}) {
  const app = Fastify();
  const start = performance.now();
  const runs: number[] = [];
  const run = async () => {
    runs.push(Math.round((performance.now() - start) / 1000));
    return options.items?.() ?? 0;
  };
  const wake = createJobs(app)({
    name: 'test',
    everyMs: 5_000,
    run,
    countWaiting: async () => options.waiting?.() ?? 0,
  });
  for (const path of ['/', '/health']) app.get(path, async () => 'ok');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, runs, wake };
}
const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);

test('a job without requests and without work runs ever more rarely, and as before after a request', async () => {
  const { app, runs } = await startJobs();
  await minutes(11);
  expect(runs).toEqual([5, 10, 20, 40, 80, 160, 320, 640]);
  await app.inject('/health');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(runs.at(-1)).toBe(640);
  await app.inject('/');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(runs.at(-1)).toBe(670);
  await app.close();
});

test('requests that come again and again do not put off a job', async () => {
  const app = Fastify();
  const runs = { often: 0, rarely: 0 };
  const addJob = createJobs(app);
  for (const [name, everyMs] of [
    ['often', 5_000],
    ['rarely', 600_000],
  ] as const)
    addJob({ name, everyMs, run: async () => runs[name]++ && 0 });
  app.get('/', async () => 'ok');
  await app.listen({ port: 0, host: '127.0.0.1' });
  for (let n = 0; n < 360; n++) {
    await vi.advanceTimersByTimeAsync(10_000);
    await app.inject('/');
  }
  expect(runs.rarely).toBe(6);
  await app.close();
});

test('the time between two runs grows to an hour', async () => {
  const { app, runs } = await startJobs();
  await minutes(10 * 60);
  const [last = 0, beforeLast = 0] = runs.reverse();
  expect(last - beforeLast).toBe(3_600);
  await app.close();
});

test.each([
  ['a job with work runs at its usual pace', { items: () => 1 }],
  ['a job whose work waits for another attempt runs at its usual pace', { waiting: () => 1 }],
])('%s', async (_, options) => {
  const { app, runs } = await startJobs(options);
  await minutes(1);
  expect(runs).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
  await app.close();
});

test('a job that is woken runs at once', async () => {
  const { app, runs, wake } = await startJobs();
  await minutes(5);
  wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(runs.at(-1)).toBe(300);
  await app.close();
});
