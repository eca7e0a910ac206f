import { type Static, Type } from '@fastify/type-provider-typebox';
import { scannedDescription } from '../http/page.ts';
import { type App, OwnerParams } from '../http/schema.ts';
import { NewTask, Task, TaskChanges, TaskPage, TaskParams, TaskQuery } from './schemas.ts';
import type { Tasks } from './service.ts';

const collection = '/users/:user_id/tasks';
const item = `${collection}/:task_id`;

export function taskRoutes(app: App, { tasks }: { tasks: Tasks }) {
  app.get(
    collection,
    {
      schema: {
        operationId: 'listTasks',
        tags: ['tasks'],
        summary: 'List tasks, newest first',
        description: scannedDescription,
        params: OwnerParams,
        querystring: TaskQuery,
        response: { 200: TaskPage },
      },
      config: {
        requiredScope: 'tasks:read',
        problems: ['forbidden', 'query_too_expensive'],
        // Looks at thousands of rows.
        concurrency: { name: 'tasks by text', perUser: 2, when: ({ query }) => 'q' in (query as object) },
      },
    },
    async ({ scope, params, query }) => tasks.list(scope, params.user_id, query),
  );

  app.post(
    collection,
    {
      schema: {
        operationId: 'createTask',
        tags: ['tasks'],
        summary: 'Create a task',
        description: 'Creates a task for the user in the path.',
        params: OwnerParams,
        body: NewTask,
        response: { 201: Task },
      },
      config: {
        requiredScope: 'tasks:write',
        problems: ['forbidden', 'not_found'],
        location: ({ user_id, id }: Static<typeof Task>) => `/users/${user_id}/tasks/${id}`,
      },
    },
    async ({ scope, params, body }) => tasks.create(scope, params.user_id, body),
  );

  app.get(
    item,
    {
      schema: {
        operationId: 'getTask',
        tags: ['tasks'],
        summary: 'Get a task',
        description: 'Answers 404 for tasks of other users.',
        params: TaskParams,
        response: { 200: Task },
      },
      config: { requiredScope: 'tasks:read', isVersioned: true, problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params }) => tasks.get(scope, params.user_id, params.task_id),
  );

  for (const [method, operationId] of [
    ['PATCH', 'updateTask'],
    ['PUT', 'replaceTask'],
  ] as const) {
    app.route({
      method,
      url: item,
      schema: {
        operationId,
        tags: ['tasks'],
        summary: 'Update a task',
        description: 'Changes the fields that are sent, with PATCH and with PUT.',
        params: TaskParams,
        body: TaskChanges,
        response: { 200: Task },
      },
      config: { requiredScope: 'tasks:write', isVersioned: true, problems: ['forbidden', 'not_found'] },
      handler: async ({ scope, params, body, versions }) =>
        tasks.update(scope, params.user_id, params.task_id, body, versions),
    });
  }

  app.delete(
    item,
    {
      schema: {
        operationId: 'deleteTask',
        tags: ['tasks'],
        summary: 'Delete a task',
        description: 'Deletes it for good.',
        params: TaskParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { requiredScope: 'tasks:write', isVersioned: true, problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params, versions }) => tasks.delete(scope, params.user_id, params.task_id, versions),
  );
}
