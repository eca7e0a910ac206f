import { createTestDatabase, newScope, type TestDatabase } from '@quoin/db/testing';
import type { PgBoss } from 'pg-boss';
import { Type } from 'typebox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn, makeJobsDue, stopHeartbeats } from '../../testing/jobs.ts';
import { runAttempt } from './attempt.ts';
import { openBoss, queueSchema } from './boss.ts';
import { type JobDefinition, PermanentFailure, type RunningJob } from './job.ts';
import { createJobs, enqueueTicks } from './jobs.ts';
import { createRunner } from './runner.ts';
import { nextTick, type Rule } from './schedule.ts';
import { createSettleDone } from './settle-done.ts';

const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const Data = Type.Object({ n: Type.Number() });
type Data = { n: number };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(() => database.execute('delete from pgboss.job; delete from pgboss.queue'));
afterAll(() => database.close());

/** A process: its kinds of jobs and its runner. */
function startProcess(run: (job: RunningJob<Data>) => Promise<void>, options: Partial<JobDefinition> = {}) {
  const jobs = createJobs();
  const kind = jobs.define({ name: 'some work', data: Data, run: run, ...(options as object) });
  return { jobs, kind, runner: createRunner({ database, jobs, log: quiet }) };
}
const enqueue = ({ kind }: ReturnType<typeof startProcess>, count = 1) =>
  kind.enqueue(
    database.system(),
    Array.from({ length: count }, (_, n) => ({ n })),
  );
const statesOf = async () => (await jobsIn(database)).map(({ state }) => state);

describe('a job', () => {
  test('four processes run each job once', async () => {
    const ran: number[] = [];
    const processes = Array.from({ length: 4 }, () => startProcess(async ({ data }) => void ran.push(data.n)));
    await enqueue(processes[0] as never, 60);
    await Promise.all(processes.map(({ runner }) => runner.runDue()));
    expect(ran.sort((one, other) => one - other)).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(await jobsIn(database)).toEqual([]);
  });

  test('a job whose transaction is rolled back does not run', async () => {
    const ran: number[] = [];
    const { kind, runner } = startProcess(async ({ data }) => void ran.push(data.n));
    const work = database.system().transaction(async (repositories) => {
      await kind.enqueue(repositories, [{ n: 1 }]);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    await runner.runDue();
    expect(ran).toEqual([]);
  });

  test('a job that fails is tried again later, with the same id, and fails for good after its last attempt', async () => {
    const attempts: { id: string; attempt: number }[] = [];
    const one = startProcess(
      async ({ id, attempt }) => {
        attempts.push({ id, attempt });
        throw new Error('the service is away');
      },
      { attemptsMax: 3, retrySeconds: 100, retrySecondsMax: 250 },
    );
    await enqueue(one);
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      await one.runner.runDue();
      expect(attempts).toHaveLength(attempt);
      const [job] = await jobsIn(database);
      if (job?.state === 'retry') delays.push(job.start_after.getTime() - Date.now());
      await makeJobsDue(database);
    }
    await one.runner.runDue();
    const [job] = await jobsIn(database);
    expect(job).toMatchObject({ state: 'failed', retry_count: 2, output: { message: 'the service is away' } });
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(attempts.map(({ id }) => id))).toEqual(new Set([job?.id]));
    const [first = 0, second = 0] = delays;
    expect(first).toBeGreaterThan(60_000);
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThanOrEqual(250_000);
  });

  test('a job with a permanent failure is not tried again', async () => {
    const one = startProcess(async () => {
      throw new PermanentFailure('no such thing');
    });
    await enqueue(one);
    await one.runner.runDue();
    expect(await jobsIn(database)).toMatchObject([{ state: 'failed', output: { message: 'no such thing' } }]);
  });

  test('a job with data of another form fails and does not run', async () => {
    const ran: unknown[] = [];
    const one = startProcess(async (job) => void ran.push(job));
    await one.kind.enqueue(database.system(), [{ n: 'x' } as never]);
    await one.runner.runDue();
    expect(ran).toEqual([]);
    expect(await jobsIn(database)).toMatchObject([{ state: 'failed' }]);
  });

  test('an attempt that takes too long is aborted and tried again', async () => {
    const signals: AbortSignal[] = [];
    const one = startProcess(
      ({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
      { timeoutSeconds: 1 },
    );
    await enqueue(one);
    await one.runner.runDue();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(await jobsIn(database)).toMatchObject([
      { state: 'retry', output: { message: 'the attempt took longer than 1 s' } },
    ]);
  });

  test('another process takes over the job of a process that died', async () => {
    const [started, dead] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = startProcess(() => {
      started.resolve();
      return dead.promise;
    });
    await enqueue(first);
    const running = first.runner.runDue();
    await started.promise;
    const attempts: number[] = [];
    const other = startProcess(async ({ attempt }) => void attempts.push(attempt));
    await other.runner.supervise();
    await other.runner.runDue();
    expect(attempts).toEqual([]);

    await stopHeartbeats(database);
    await database.execute('update pgboss.queue set monitor_on = null, monitor_claim_on = null');
    await other.runner.supervise();
    await makeJobsDue(database);
    await other.runner.runDue();
    expect(attempts).toEqual([2]);
    expect(await jobsIn(database)).toEqual([]);
    dead.reject(new Error('came back'));
    await running;
    expect(await jobsIn(database)).toEqual([]);
  });

  test('a job works with the rows of its user only', async () => {
    const [ada, other] = [await newScope(database), await newScope(database)];
    for (const scope of [ada, other]) await database.as(scope).tasks.create({ title: scope.owner.userId });
    const seen: string[] = [];
    const { kind, runner } = startProcess(async ({ userId }) => {
      const { rows } = await database.asUser(userId ?? '').tasks.list({ limit: 10 });
      seen.push(...rows.map(({ title }) => title));
    });
    await kind.enqueue(database.as(ada), [{ n: 1 }]);
    await runner.runDue();
    expect(seen).toEqual([ada.owner.userId]);
  });

  test('kinds with a higher priority run first', async () => {
    const ran: string[] = [];
    const jobs = createJobs();
    const define = (name: string, priority: number) =>
      jobs.define({ name, data: Data, priority, run: async () => void ran.push(name) });
    const [low, high] = [define('low', 0), define('high', 10)];
    await low.enqueue(database.system(), [{ n: 1 }, { n: 2 }]);
    await high.enqueue(database.system(), [{ n: 1 }, { n: 2 }]);
    await createRunner({ database, jobs, log: quiet }).runDue();
    expect(ran).toEqual(['high', 'high', 'low', 'low']);
  });

  test('jobs with one unique key run one after another, and others beside them', async () => {
    let [inFlight, inFlightMax] = [0, 0];
    const work = async () => {
      inFlightMax = Math.max(inFlightMax, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
    };
    const processes = Array.from({ length: 3 }, () => startProcess(work, { isSerialized: true }));
    for (let n = 0; n < 5; n++) await processes[0]?.kind.enqueue(database.system(), [{ n }], { concurrencyKey: 'one' });
    while ((await jobsIn(database)).length > 0) await Promise.all(processes.map(({ runner }) => runner.runDue()));
    expect(inFlightMax).toBe(1);
  });
});

describe('a process that stops', () => {
  test('stopping waits for a running job', async () => {
    const [started, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const one = startProcess(() => {
      started.resolve();
      return end.promise;
    });
    await enqueue(one, 2);
    await one.runner.poll();
    await started.promise;
    const stopped = one.runner.stop(60_000);
    end.resolve();
    await stopped;
    expect(await statesOf()).toEqual(['created']);
  });

  test('stopping hands back a job that needs longer', async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const one = startProcess(({ signal }) => {
      started.resolve(signal);
      return new Promise(() => {});
    });
    await enqueue(one);
    await one.runner.poll();
    const signal = await started.promise;
    await one.runner.stop(0);
    expect(signal.aborted).toBe(true);
    expect(await jobsIn(database)).toMatchObject([{ state: 'created', retry_count: 0 }]);
  });

  test('a job that is claimed while the process stops is handed back and does not begin', async () => {
    const began: number[] = [];
    const one = startProcess(async ({ data }) => void began.push(data.n));
    await enqueue(one);
    const boss = await openBoss(database, () => {});
    const claimed = await boss.fetch<object>('some-work', { includeMetadata: true });
    expect(claimed).toHaveLength(1);
    await runAttempt(claimed, {
      boss,
      database,
      definition: one.jobs.definitions.get('some work') as JobDefinition,
      settleDone: createSettleDone(async () => boss),
      stopSignal: AbortSignal.abort(new Error('the process stopped')),
      log: quiet,
      onEnded: () => {},
    });
    await boss.stop({ close: false });
    expect(began).toEqual([]);
    expect(await jobsIn(database)).toMatchObject([{ state: 'created', retry_count: 0 }]);
  });

  test('waking a kind of job that has no queue yet logs no warning', async () => {
    const warnings: unknown[] = [];
    const ran = Promise.withResolvers<void>();
    const jobs = createJobs();
    const empty = jobs.define({ name: 'no work', data: Data, run: async () => {} });
    const some = jobs.define({ name: 'some work', data: Data, run: async () => ran.resolve() });
    const runner = createRunner({
      database,
      jobs,
      log: { ...quiet, warn: (warning: unknown) => void warnings.push(warning) },
    });
    runner.start();
    await some.enqueue(database.system(), [{ n: 1 }]);
    empty.wake();
    some.wake();
    await ran.promise;
    await runner.stop(60_000);
    expect(warnings).toEqual([]);
  });

  test('a batch that is interrupted hands back only the jobs that are not done', async () => {
    const started = Promise.withResolvers<void>();
    const one = startProcess(
      async ({ data }) => {
        if (data.n !== 3) return;
        started.resolve();
        await new Promise(() => {});
      },
      { batchSize: 5 },
    );
    await enqueue(one, 5);
    await one.runner.poll();
    await started.promise;
    await expect.poll(() => statesOf()).toEqual(['active']);
    await one.runner.stop(0);
    expect(await jobsIn(database)).toMatchObject([{ state: 'created', data: { n: 3 } }]);
  });
});

describe('a schedule', () => {
  const rule: Rule = { cron: '0 3 * * *', timeZone: 'Europe/London' };

  function startScheduled(handler: (tick: { scheduledFor: Date }) => Promise<unknown>, times = rule) {
    const jobs = createJobs();
    jobs.schedule('nightly report', times, handler);
    return { jobs, runner: createRunner({ database, jobs, log: quiet }) };
  }
  const ticks = async () => (await jobsIn(database)).map(({ state, start_after }) => [state, start_after]);

  test('a tick runs once over all processes, and the next one waits', async () => {
    const ran: Date[] = [];
    const processes = Array.from({ length: 4 }, () =>
      startScheduled(async ({ scheduledFor }) => void ran.push(scheduledFor)),
    );
    await Promise.all(processes.map(({ runner }) => runner.supervise()));
    const [[, tick] = []] = await ticks();
    expect(await ticks()).toEqual([['created', nextTick(rule, new Date())]]);
    await makeJobsDue(database);
    await Promise.all(processes.map(({ runner }) => runner.runDue()));
    await Promise.all(processes.map(({ runner }) => runner.supervise()));
    expect(ran).toEqual([tick]);
    expect((await ticks()).map(([state]) => state)).toEqual(['completed']);
  });

  test('a tick that runs enqueues the next one, without a search for dead processes', async () => {
    const { runner } = startScheduled(async () => {});
    await runner.supervise();
    await database.execute(`update pgboss.job set singleton_on = '2020-01-01', start_after = now()`);
    await runner.runDue();
    expect(await ticks()).toEqual(
      expect.arrayContaining([
        ['completed', expect.any(Date)],
        ['created', nextTick(rule, new Date())],
      ]),
    );
  });

  test('ticks that were missed while no process ran are run once', async () => {
    const ran: Date[] = [];
    const { jobs, runner } = startScheduled(async ({ scheduledFor }) => void ran.push(scheduledFor));
    const lastWeek = new Date(Date.now() - 7 * 86_400_000);
    await enqueueTicks(database, jobs.schedules, lastWeek);
    await runner.supervise();
    await runner.runDue();
    expect(ran).toEqual([nextTick(rule, lastWeek)]);
    expect((await ticks()).filter(([state]) => state === 'created')).toHaveLength(1);
  });

  test('a tick that fails is tried again', async () => {
    let runs = 0;
    const { runner } = startScheduled(async () => {
      runs += 1;
      if (runs === 1) throw new Error('no report today');
    });
    await runner.supervise();
    await makeJobsDue(database);
    await runner.runDue();
    await makeJobsDue(database);
    await runner.runDue();
    expect(runs).toBe(2);
  });

  test('the waiting tick of a rule that has changed is replaced', async () => {
    await startScheduled(async () => {}).runner.supervise();
    const changed = { cron: '30 4 * * *', timeZone: 'Europe/London' };
    const { runner } = startScheduled(async () => {}, changed);
    await runner.prepare();
    await runner.supervise();
    expect(await ticks()).toEqual([['created', nextTick(changed, new Date())]]);
  });

  test('a schedule follows the clock of its time zone, and runs once on the days when the clock changes', () => {
    const after = (time: string, cron: string, count: number) => {
      const times: string[] = [];
      for (let last = new Date(time); times.length < count; times.push(last.toISOString()))
        last = nextTick({ cron, timeZone: 'Europe/London' }, last);
      return times;
    };
    // Clocks go forward on 29 March 2026 at 01:00, and back on 25 October at 02:00.
    expect(after('2026-03-28T12:00:00Z', '0 3 * * *', 2)).toEqual([
      '2026-03-29T02:00:00.000Z',
      '2026-03-30T02:00:00.000Z',
    ]);
    expect(after('2026-03-28T12:00:00Z', '30 1 * * *', 2)).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    expect(after('2026-10-24T12:00:00Z', '30 1 * * *', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  test.each([
    ['a cron expression with six fields', { cron: '0 0 3 * * *' }],
    ['an invalid cron expression', { cron: '0 25 * * *' }],
    ['an unknown time zone', { cron: '0 3 * * *', timeZone: 'Europe/Atlantis' }],
  ])('%s is refused when the schedule is defined', (_, times) => {
    expect(() => createJobs().schedule('report', times, async () => {})).toThrow();
  });
});

describe('the schema of the queue', () => {
  test('the migrations create the schema that the installed pg-boss expects', async () => {
    const boss = await openBoss(database, () => {});
    expect(await boss.detectSchemaDrift()).toMatchObject({ ok: true });
    await boss.stop({ close: false });
  });

  test('a job has the same columns as one that pg-boss enqueues', async () => {
    const one = startProcess(async () => {}, { retrySecondsMax: 60 });
    await enqueue(one);
    const boss: PgBoss = await openBoss(database, () => {});
    const options = { retryLimit: 19, retryDelay: 10, retryBackoff: true, retryDelayMax: 60, expireInSeconds: 300 };
    await boss.insert('some-work', [
      { ...options, data: { n: 0 }, heartbeatSeconds: 60, deleteAfterSeconds: 1_209_600 },
    ]);
    await boss.stop({ close: false });
    const [result] = await database.execute(
      `select to_jsonb(job) - '{id, start_after, created_on, keep_until}'::text[] as job,
        keep_until - start_after as kept from ${queueSchema}.job order by created_on`,
    );
    expect(result?.rows).toHaveLength(2);
    expect(result?.rows[0]).toEqual(result?.rows[1]);
  });
});
