import { Type } from '@fastify/type-provider-typebox';
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
        params: OwnerParams,
        querystring: TaskQuery,
        response: { 200: TaskPage },
      },
      config: {
        problems: ['forbidden'],
        // Reads every row of the user.
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
        params: OwnerParams,
        body: NewTask,
        response: { 201: Task },
      },
      config: { problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params, body }, reply) => {
      const task = await tasks.create(scope, params.user_id, body);
      return reply.code(201).header('location', `${app.prefix}/users/${task.user_id}/tasks/${task.id}`).send(task);
    },
  );

  app.get(
    item,
    {
      schema: {
        operationId: 'getTask',
        tags: ['tasks'],
        summary: 'Get a task',
        params: TaskParams,
        response: { 200: Task },
      },
      config: { problems: ['forbidden', 'not_found'] },
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
      config: { problems: ['forbidden', 'not_found'] },
      handler: async ({ scope, params, body }) => tasks.update(scope, params.user_id, params.task_id, body),
    });
  }

  app.delete(
    item,
    {
      schema: {
        operationId: 'deleteTask',
        tags: ['tasks'],
        summary: 'Delete a task',
        params: TaskParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params }, reply) => {
      await tasks.delete(scope, params.user_id, params.task_id);
      return reply.code(204).send(null);
    },
  );
}
