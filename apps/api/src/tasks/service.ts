import type { Database, Scope } from '@quoin/db';
import { scopeFor } from '../auth/owner.ts';
import { found, notFound } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import type { NewTask, TaskChanges, TaskQuery } from './schemas.ts';

/** Tasks of a user. `userId` is that of the path: `me` or an id. */
export function createTasks({ database }: { database: Database }) {
  const tasksOf = (scope: Scope, userId: string) => database.as(scopeFor(scope, userId)).tasks;

  return {
    list: async (scope: Scope, userId: string, query: TaskQuery) => {
      const owner = scopeFor(scope, userId);
      const list = `tasks of ${owner.owner.userId}`;
      const page = pageRequest(list, query);
      const { is_completed, q } = query;
      return pageFrom(list, await database.as(owner).tasks.list({ ...page, is_completed, q }), page);
    },

    create: async (scope: Scope, userId: string, task: NewTask) => tasksOf(scope, userId).create(task),

    get: async (scope: Scope, userId: string, id: string) => found(await tasksOf(scope, userId).find(id)),

    /** Changes the given fields. */
    update: async (scope: Scope, userId: string, id: string, changes: TaskChanges) => {
      const tasks = tasksOf(scope, userId);
      const isEmpty = Object.keys(changes).length === 0;
      return found(await (isEmpty ? tasks.find(id) : tasks.update(id, changes)));
    },

    delete: async (scope: Scope, userId: string, id: string) => {
      if (!(await tasksOf(scope, userId).delete(id))) throw notFound();
    },
  };
}

export type Tasks = ReturnType<typeof createTasks>;
