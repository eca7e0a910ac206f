import Fastify from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runJobs } from './run-jobs.ts';
import type { PollResult } from './runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An application with a runner that records when it polls the queue, in seconds since the start. */
async function startPolling(found: () => Partial<PollResult> | Promise<never> = () => ({})) {
  const app = Fastify();
  const start = performance.now();
  const polls: number[] = [];
  const poll = async () => {
    polls.push(Math.round((performance.now() - start) / 1000));
    return { isBusy: false, nextMs: undefined, ...(await found()) };
  };
  runJobs(app, { poll, start: () => {}, prepare: async () => {}, stop: async () => {} } as never, { stopMs: 1_000 });
  for (const path of ['/', '/health']) app.get(path, async () => 'ok');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, polls };
}
const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);

test('an idle process polls the queue less and less often, and as before after a request', async () => {
  const { app, polls } = await startPolling();
  await minutes(11);
  expect(polls).toEqual([5, 10, 20, 40, 80, 160, 320, 640]);
  await app.inject('/health');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(polls.at(-1)).toBe(640);
  await app.inject('/');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(polls.at(-1)).toBe(670);
  await app.close();
});

test('the time between two polls grows to an hour', async () => {
  const { app, polls } = await startPolling();
  await minutes(10 * 60);
  const [last = 0, beforeLast = 0] = polls.reverse();
  expect(last - beforeLast).toBe(3_600);
  await app.close();
});

test('an idle process polls the queue when the next job is due', async () => {
  const dueAt = performance.now() + 1_000_000;
  const { app, polls } = await startPolling(() => {
    const nextMs = dueAt - performance.now();
    return nextMs > 0 ? { nextMs } : {};
  });
  await minutes(17);
  expect(polls).toContain(1_000);
  await app.close();
});

test.each([
  ['a process with jobs polls at its usual pace', () => ({ isBusy: true })],
  ['a process whose database is unreachable polls at its usual pace', () => Promise.reject(new Error('away'))],
])('%s', async (_, found) => {
  const { app, polls } = await startPolling(found);
  await minutes(1);
  expect(polls).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
  await app.close();
});

test('requests that come again and again do not put off a poll', async () => {
  const { app, polls } = await startPolling();
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await app.inject('/');
  }
  expect(polls.length).toBeGreaterThanOrEqual(11);
  await app.close();
});
