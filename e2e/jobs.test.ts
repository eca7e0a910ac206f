import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { createJobs } from '../apps/api/src/queue/jobs.ts';
import { createRunner } from '../apps/api/src/queue/runner.ts';
import { stopHeartbeats } from '../apps/api/testing/jobs.ts';

// Kills processes with SIGKILL while they enqueue, run and finish jobs. With JOB_KILLS, more often, and prints a table.

const kills = Number(process.env.JOB_KILLS || 12);
const processes = 3;
const steps = { e: 'enqueuing', r: 'running', f: 'finishing' };
type Step = keyof typeof steps;

test.runIf(testServerUrl)(
  'no job is lost when processes are killed, and an effect with an idempotency key happens once',
  { timeout: 600_000 },
  async () => {
    const database = await createTestDatabase();
    const count = async (query: string) => Number((await database.execute(query))[0]?.rows[0]?.count);
    const start = (jobs: number) => {
      const child = spawn(process.execPath, ['e2e/job-process.ts', database.url, String(jobs)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const one = { child, last: 'e' as Step, letters: 0 };
      child.stdout.on('data', (chunk: Buffer) => {
        one.last = chunk.toString().at(-1) as Step;
        one.letters += chunk.length;
      });
      return one;
    };
    const kill = async (child: ChildProcess) => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    };
    try {
      await database.execute('create table runs (job uuid); create table effects (job uuid primary key, cause uuid)');
      const killedWhile: Record<Step, number> = { e: 0, r: 0, f: 0 };
      const running = Array.from({ length: processes }, () => start(100_000));
      for (let killed = 0; killed < kills; killed++) {
        const index = killed % processes;
        const one = running[index];
        if (!one) throw new Error('no process');
        // A different number of steps each time, so that each step is hit.
        await expect.poll(() => one.letters).toBeGreaterThan(20 + 7 * killed);
        await kill(one.child);
        killedWhile[one.last] += 1;
        running[index] = start(100_000);
      }
      for (const { child } of running) await kill(child);

      const quiet = { info: () => {}, warn: () => {}, error: () => {} };
      const supervisor = createRunner({ database, jobs: createJobs(), log: quiet });
      // Two processes that enqueue nothing do the rest, also the jobs of the dead ones, whose heartbeats have stopped.
      const rest = [start(0), start(0)];
      const supervise = async () => {
        await stopHeartbeats(database);
        await database.execute('update pgboss.queue set monitor_on = null, monitor_claim_on = null');
        await supervisor.supervise();
        return count('select count(*) from pgboss.job');
      };
      await expect.poll(supervise, { timeout: 240_000, interval: 2_000 }).toBe(0);
      for (const { child } of rest) await kill(child);

      const causes = await count(`select count(*) from users`);
      const effects = await count('select count(*) from effects');
      const lost = await count(
        `select count(*) from users where not exists (select from effects where email = cause || '@example.com')`,
      );
      const repeated = await count('select count(*) from (select job from runs group by job having count(*) > 1) r');
      if (process.env.JOB_KILLS)
        process.stdout.write(
          `${Object.entries(steps)
            .map(([step, name]) => `killed while ${name}: ${killedWhile[step as Step]}`)
            .join(', ')}; jobs ${causes}, effects ${effects}, lost ${lost}, attempts repeated ${repeated}\n`,
        );
      expect({ lost, effects }).toEqual({ lost: 0, effects: causes });
      expect(causes).toBeGreaterThan(kills);
    } finally {
      await database.close();
    }
  },
);
