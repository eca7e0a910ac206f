import { type Static, Type } from '@fastify/type-provider-typebox';
import { jobStates } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { closed, Id, nullable, oneOf, Timestamp } from '../http/schema.ts';

const stateDescription =
  '`created`: waits. `retry`: failed and waits for another attempt. `active`: runs. `completed`: done. `failed`: failed for good.';

export const Job = closed(
  {
    id: Id('Id of the job.'),
    name: Type.String({ description: 'Kind of the job.', examples: ['send mail'] }),
    state: oneOf(jobStates, { description: stateDescription, examples: ['failed'] }),
    user_id: nullable(Id('The user whose job it is; null if it belongs to no user.')),
    data: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'What the job works on, by kind.',
      examples: [{}],
    }),
    attempts: Type.Integer({ description: 'Number of attempts that have begun.', examples: [3] }),
    attempts_max: Type.Integer({ description: 'Number of attempts after which it fails for good.', examples: [20] }),
    error: nullable(
      Type.String({ description: 'Why the last attempt failed.', examples: ['connect ECONNREFUSED 127.0.0.1:25'] }),
    ),
    created_at: Timestamp('When the job was enqueued.'),
    due_at: Timestamp('When the next attempt is due, or the last one was.'),
    started_at: nullable(Timestamp('When the last attempt began; null before the first.')),
    completed_at: nullable(Timestamp('When the job was done or failed for good; null before.')),
  },
  { title: 'Job' },
);

export const JobPage = pageOf('JobPage', Job);

export const JobQuery = closed({
  ...pageQuery,
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'Filter by kind, such as `send mail`.' }),
  ),
  state: Type.Optional(oneOf(jobStates, { description: 'Filter by state.' })),
});
export type JobQuery = Static<typeof JobQuery>;

export const JobParams = closed({ job_id: Id('Id of the job.') });
