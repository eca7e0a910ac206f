import type { Database, Scope } from '@quoin/db';
import { scopeOf } from '../auth/owner.ts';
import { found, notFound } from '../http/errors.ts';
import type { Pages } from '../http/page.ts';
import type { NewTask, TaskChanges, TaskQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  pages: Pages;
}

/** What users have to do. `userId` is as it stands in the path: `me` or an id. */
export function createTasks({ database, pages }: Dependencies) {
  return {
    list: async (scope: Scope, userId: string, query: TaskQuery) => {
      const owner = scopeOf(scope, userId);
      const list = `tasks of ${owner.userId}`;
      const page = pages.request(list, query);
      const { is_completed, q } = query;
      const rows = await database.as(owner, ({ tasks }) => tasks.list(owner.userId, { ...page, is_completed, q }), {
        single: 'read',
        quick: q === undefined && is_completed === undefined && page.skip === undefined,
      });
      return pages.from(list, rows, page);
    },

    create: async (scope: Scope, userId: string, task: NewTask) => {
      const owner = scopeOf(scope, userId);
      return database.as(owner, ({ tasks }) => tasks.create({ ...task, user_id: owner.userId }), {
        single: 'write',
        quick: true,
      });
    },

    get: async (scope: Scope, userId: string, id: string) => {
      const owner = scopeOf(scope, userId);
      return found(
        await database.as(owner, ({ tasks }) => tasks.find(owner.userId, id), { single: 'read', quick: true }),
      );
    },

    /** Only what is sent changes. */
    update: async (scope: Scope, userId: string, id: string, changes: TaskChanges) => {
      const owner = scopeOf(scope, userId);
      const isEmpty = Object.keys(changes).length === 0;
      return found(
        await database.as(
          owner,
          ({ tasks }) => (isEmpty ? tasks.find(owner.userId, id) : tasks.update(owner.userId, id, changes)),
          { single: isEmpty ? 'read' : 'write' },
        ),
      );
    },

    delete: async (scope: Scope, userId: string, id: string) => {
      const owner = scopeOf(scope, userId);
      const isDeleted = await database.as(owner, ({ tasks }) => tasks.delete(owner.userId, id), { single: 'write' });
      if (!isDeleted) throw notFound();
    },
  };
}

export type Tasks = ReturnType<typeof createTasks>;
