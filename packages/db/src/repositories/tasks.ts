import type { Insertable, Kysely, Updateable } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';
import { compiledOnce } from './compiled-once.ts';
import { containing, isLike, type PageRequest, paged } from './page.ts';

const taskColumns = ['id', 'user_id', 'title', 'description', 'is_completed', 'created_at', 'updated_at'] as const;

export type NewTask = Omit<Insertable<Tables['tasks']>, 'id' | 'created_at' | 'updated_at'>;
export type TaskChanges = Omit<Updateable<Tables['tasks']>, 'id' | 'user_id' | 'created_at' | 'updated_at'>;
export interface TaskFilter {
  is_completed?: boolean | undefined;
  /** A part of the title or the description, in any case. */
  q?: string | undefined;
}

const find = compiledOnce((db, userId: string, id: string) =>
  db.selectFrom('tasks').select(taskColumns).where('user_id', '=', userId).where('id', '=', id),
);

const list = compiledOnce(
  (
    db,
    userId: string,
    limit: number,
    after: string | undefined,
    skip: number | undefined,
    isCompleted: boolean | undefined,
    pattern: string | undefined,
  ) => {
    let query = db.selectFrom('tasks').select(taskColumns).where('user_id', '=', userId);
    if (isCompleted !== undefined) query = query.where('is_completed', '=', isCompleted);
    if (pattern !== undefined)
      query = query.where((where) => where.or([isLike('title', pattern), isLike('description', pattern)]));
    return paged(query, { limit, after, skip });
  },
);

const create = compiledOnce(
  (db, id: string, user_id: string, title: string, description?: string | null, is_completed?: boolean) =>
    db.insertInto('tasks').values({ id, user_id, title, description, is_completed }).returning(taskColumns),
);

/** Tasks, each of one user. */
export const tasks = (db: Kysely<Tables>) => ({
  find: async (userId: string, id: string) => (await find(db, userId, id))[0],

  /** Newest first; a page is read from `idx_tasks_user_id` in its order, however far back it is. */
  list: (userId: string, { limit, after, skip, is_completed, q }: TaskFilter & PageRequest) =>
    list(db, userId, limit, after, skip, is_completed, q === undefined ? undefined : containing(q)),

  /** Violates `fk_tasks_user_id` where there is no such user. */
  create: async ({ user_id, title, description, is_completed }: NewTask) => {
    const [task] = await create(db, v7(), user_id, title, description, is_completed);
    if (!task) throw new Error('an insert returned nothing');
    return task;
  },

  update: (userId: string, id: string, changes: TaskChanges) =>
    db
      .updateTable('tasks')
      .set(changes)
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .returning(taskColumns)
      .executeTakeFirst(),

  /** Resolves to whether there was one. */
  delete: async (userId: string, id: string) => {
    const { numDeletedRows } = await db
      .deleteFrom('tasks')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  },
});
