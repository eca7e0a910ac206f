import { Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import type { App } from '../http/schema.ts';
import { Job, JobPage, JobParams, JobQuery } from './schemas.ts';
import type { JobAdministration } from './service.ts';

export function jobRoutes(app: App, { jobAdministration: jobs }: { jobAdministration: JobAdministration }): void {
  app.get(
    '/jobs',
    {
      schema: {
        operationId: 'listJobs',
        tags: ['jobs'],
        summary: 'List jobs, newest first (admins)',
        description:
          'A job that is done is deleted, except ticks of schedules, which stay for two weeks, as failed jobs do.',
        querystring: JobQuery,
        response: { 200: JobPage },
      },
      config: { admin: true, problems: ['query_too_expensive'], concurrency: { name: 'admin lists', perUser: 2 } },
    },
    async ({ query }) => jobs.list(query),
  );

  app.post(
    '/jobs/:job_id/retry',
    {
      schema: {
        operationId: 'retryJob',
        tags: ['jobs'],
        summary: 'Retry a job (admins)',
        description: 'Makes a job due now that waits or has failed. It gets another attempt.',
        params: JobParams,
        response: { 200: Job },
      },
      config: { admin: true, problems: ['not_found', 'job_conflict'] },
    },
    async (request) => jobs.retry(request.params.job_id, { scope: request.scope, client: clientOf(request) }),
  );

  app.delete(
    '/jobs/:job_id',
    {
      schema: {
        operationId: 'discardJob',
        tags: ['jobs'],
        summary: 'Discard a job (admins)',
        description: 'Deletes a job that does not run. Its work is not done.',
        params: JobParams,
        response: { 204: Type.Null({ description: 'Discarded.' }) },
      },
      config: { admin: true, problems: ['not_found', 'job_conflict'] },
    },
    async (request) => {
      await jobs.discard(request.params.job_id, { scope: request.scope, client: clientOf(request) });
    },
  );
}
