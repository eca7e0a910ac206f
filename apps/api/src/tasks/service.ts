import type { Database, Scope, Versions } from '@quoin/db';
import { scopeFor } from '../auth/owner.ts';
import { found } from '../http/errors.ts';
import { listByText, pageFrom, pageRequest } from '../http/page.ts';
import { requireRow } from '../http/preconditions.ts';
import type { NewTask, TaskChanges, TaskQuery } from './schemas.ts';

/** Tasks of a user. `userId` is that of the path: `me` or an id. */
export function createTasks({ database }: { database: Database }) {
  const ownedBy = (scope: Scope, userId: string) => database.as(scopeFor(scope, userId));

  return {
    list: async (scope: Scope, userId: string, query: TaskQuery) => {
      const owner = scopeFor(scope, userId);
      const list = `tasks of ${owner.owner.userId}`;
      const page = pageRequest(list, query);
      const { is_completed, q } = query;
      const { rows, scannedTo } = await listByText(database.as(owner), q, ({ tasks }) =>
        tasks.list({ ...page, is_completed, q }),
      );
      return pageFrom(list, rows, page, { scannedTo });
    },

    create: async (scope: Scope, userId: string, task: NewTask) =>
      ownedBy(scope, userId).effect(({ tasks }) => tasks.create(task)),

    get: async (scope: Scope, userId: string, id: string) => found(await ownedBy(scope, userId).tasks.find(id)),

    /** Changes the given fields. */
    update: async (scope: Scope, userId: string, id: string, changes: TaskChanges, versions: Versions) =>
      ownedBy(scope, userId).effect(async ({ tasks }) => {
        const isEmpty = Object.keys(changes).length === 0;
        const task = await (isEmpty ? tasks.find(id, versions) : tasks.update(id, changes, versions));
        return requireRow(versions, task, () => tasks.find(id));
      }),

    delete: async (scope: Scope, userId: string, id: string, versions: Versions) =>
      ownedBy(scope, userId).effect(async ({ tasks }) => {
        const isDeleted = await tasks.delete(id, versions);
        if (!isDeleted) await requireRow(versions, undefined, () => tasks.find(id));
      }),
  };
}

export type Tasks = ReturnType<typeof createTasks>;
