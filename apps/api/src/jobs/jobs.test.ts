import { keptOpen, runInProcess } from '@quoin/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn } from '../../testing/jobs.ts';
import { expectProblem, startTestApp, type TestApp, testEnvironment } from '../../testing/test-app.ts';
import { jobsCommand } from '../commands/jobs.ts';

let api: TestApp;
let admin: Awaited<ReturnType<TestApp['signUpAdmin']>>;
beforeAll(async () => {
  api = await startTestApp();
  admin = await api.signUpAdmin();
});
beforeEach(() => api.database.execute('delete from pgboss.job'));
afterAll(() => api.close());

const unknownId = '01999999-9999-7999-9999-999999999999';

/** Registers a user, whose mail waits as a job. */
async function newJob() {
  const user = await api.register();
  const jobs = await jobsIn(api.database);
  const job = jobs.find(({ data }) => data?.recipient === user.email);
  if (!job) throw new Error('no job');
  return { user, id: job.id };
}
const setState = (id: string, state: string) =>
  api.database.execute(
    `update pgboss.job set state = '${state}', retry_count = 999, output = '{"message": "the server is away"}',
       start_after = now() + interval '1 hour' where id = '${id}'`,
  );
const list = async (query = '') =>
  (await api.send('GET', `/jobs${query}`, { token: admin.token })).json() as {
    items: { id: string; name: string; state: string }[];
    next_cursor: string | null;
  };
const act = (method: string, path: string) => api.send(method, `/jobs/${path}`, { token: admin.token });

describe('/jobs', () => {
  test('admins see the jobs, newest first, and page through them', async () => {
    const ids = [(await newJob()).id, (await newJob()).id, (await newJob()).id].reverse();
    const first = await list('?limit=2');
    const rest = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(ids);
    expect(rest.next_cursor).toBeNull();
    expect(first.items[0]).toMatchObject({
      name: 'send mail',
      state: 'created',
      attempts: 0,
      attempts_max: 1_000,
      error: null,
      completed_at: null,
    });
  });

  test('the list is filtered by name and state', async () => {
    const [waiting, failed] = [await newJob(), await newJob()];
    await setState(failed.id, 'failed');
    expect((await list('?state=failed')).items).toMatchObject([{ id: failed.id, error: 'the server is away' }]);
    expect((await list('?name=send%20mail&state=created')).items.map(({ id }) => id)).toEqual([waiting.id]);
    expect((await list('?name=embed%20documents')).items).toEqual([]);
    expectProblem(await act('GET', '../jobs?state=lost'), 422, 'validation_failed');
  });

  test('a failed job that an admin retries runs again, and the retry is recorded', async () => {
    const { user, id } = await newJob();
    await setState(id, 'failed');
    const retried = await act('POST', `${id}/retry`);
    expect(retried.statusCode).toBe(200);
    expect(retried.json()).toMatchObject({ id, state: 'retry', completed_at: null });
    expect(await api.mailsTo(user.email)).toHaveLength(1);
    const events = await api.send('GET', `/audit-events?actor_id=${admin.id}&action=job_retried`, {
      token: admin.token,
    });
    expect(events.json().items).toMatchObject([{ details: { job_id: id, name: 'send mail' }, actor_id: admin.id }]);
  });

  test('a job that an admin discards does not run, and the removal is recorded', async () => {
    const { user, id } = await newJob();
    expect((await act('DELETE', id)).statusCode).toBe(204);
    expect(await api.mailsTo(user.email)).toEqual([]);
    expectProblem(await act('DELETE', id), 404, 'not_found');
    const events = await api.send('GET', `/audit-events?actor_id=${admin.id}&action=job_discarded`, {
      token: admin.token,
    });
    expect(events.json().items).toMatchObject([{ details: { job_id: id } }]);
  });

  test('a job that runs can be neither retried nor discarded', async () => {
    const { id } = await newJob();
    await setState(id, 'active');
    expectProblem(await act('POST', `${id}/retry`), 409, 'job_conflict');
    expectProblem(await act('DELETE', id), 409, 'job_conflict');
    await setState(id, 'completed');
    expectProblem(await act('POST', `${id}/retry`), 409, 'job_conflict');
  });

  test('returns 404 for an unknown job', async () => {
    expectProblem(await act('POST', `${unknownId}/retry`), 404, 'not_found');
    expectProblem(await act('DELETE', unknownId), 404, 'not_found');
  });

  test.each([
    ['GET', '/jobs'],
    ['POST', `/jobs/${unknownId}/retry`],
    ['DELETE', `/jobs/${unknownId}`],
  ])('%s %s returns 403 to non-admins', async (method, path) => {
    const user = await api.signUp();
    expectProblem(await api.send(method, path, { token: user.token }), 403, 'forbidden');
  });
});

describe('npm run jobs', () => {
  const jobs = (...args: string[]) =>
    runInProcess(jobsCommand(keptOpen(api.database)), args, { env: testEnvironment() });

  test('npm run jobs lists, retries and discards jobs', async () => {
    const { id } = await newJob();
    await setState(id, 'failed');
    expect((await jobs('list', '--state', 'failed')).stdout).toMatch(
      new RegExp(`^${id}  failed .* send mail  attempt \\d+ of 1000  the server is away\n$`),
    );
    expect((await jobs('list', '--state', 'created')).stdout).toBe('');
    expect(await jobs('retry', id)).toMatchObject({ code: 0, stdout: `due now: send mail ${id}\n` });
    expect(await jobs('discard', id)).toMatchObject({ code: 0, stdout: `discarded: send mail ${id}\n` });
    expect(await jobs('discard', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('Not found') });
  });

  test('npm run jobs -- run runs a schedule now', async () => {
    expect(await jobs('run', 'delete ended sessions')).toMatchObject({
      code: 0,
      stdout: 'delete ended sessions: 1 done, 0 to be tried again, 0 failed\n',
    });
  });

  test.each([
    [[], 'a command is missing'],
    [['lose'], 'unknown command: lose'],
    [['retry'], 'retry needs one argument'],
    [['retry', 'x'], 'ID must be the id of a job'],
    [['list', 'x'], 'list takes no argument'],
    [['list', '--state', 'lost'], '--state must be one of'],
    [['run', 'no such job'], 'no job has the name "no such job"'],
  ])('npm run jobs -- %j reports the mistake', async (args, message) => {
    expect(await jobs(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});
