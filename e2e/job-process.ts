import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, newId } from '@quoin/db';
import { Type } from 'typebox';
import { createJobs } from '../apps/api/src/queue/jobs.ts';
import { createRunner } from '../apps/api/src/queue/runner.ts';

// A process for jobs.test.ts, which kills it: enqueues jobs, each in a transaction with a row in `users`, and runs them. Writes a letter when a step begins:
// e (enqueuing), r (a job runs), f (a job finishes).

const [url = '', count = '0'] = process.argv.slice(2);
// Through a pooler, a prepared statement belongs to another connection.
const database = await connect(url, { poolMax: 4, prepare: !process.env.TEST_POOLER_URL });
const note = (letter: string) => writeSync(1, letter);
const log = { info: () => {}, warn: () => {}, error: () => {} };
const jobs = createJobs();
const kind = jobs.define({
  name: 'count',
  data: Type.Object({ cause: Type.String() }),
  batchSize: 3,
  run: async ({ id, data }) => {
    note('r');
    await database.execute('insert into runs (job) values ($1)', [id]);
    await sleep(5);
    // The id of the job is its idempotency key.
    await database.execute('insert into effects (job, cause) values ($1, $2) on conflict do nothing', [id, data.cause]);
    note('f');
  },
});
const runner = createRunner({ database, jobs, log });

async function enqueueAll() {
  for (let n = 0; n < Number(count); n++) {
    note('e');
    const cause = newId();
    await database.system().transaction(async (repositories) => {
      await kind.enqueue(repositories, [{ cause }]);
      await repositories.users.create({ email: `${cause}@example.com` });
    });
    await sleep(2);
  }
}

await Promise.all([enqueueAll(), work()]);

async function work() {
  for (;;) {
    await runner.runDue();
    await sleep(10);
  }
}
