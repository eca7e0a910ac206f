import type { Insertable, Kysely, Updateable } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../tables.ts';
import { contains, type PageRequest, paged } from './page.ts';

const taskColumns = ['id', 'user_id', 'title', 'description', 'is_completed', 'created_at', 'updated_at'] as const;

export type NewTask = Omit<Insertable<Tables['tasks']>, 'id' | 'created_at' | 'updated_at'>;
export type TaskChanges = Omit<Updateable<Tables['tasks']>, 'id' | 'user_id' | 'created_at' | 'updated_at'>;
export interface TaskFilter {
  is_completed?: boolean | undefined;
  /** A part of the title or the description, in any case. */
  q?: string | undefined;
}

/** Tasks, each of one user. */
export const tasks = (db: Kysely<Tables>) => ({
  find: (userId: string, id: string) =>
    db.selectFrom('tasks').select(taskColumns).where('user_id', '=', userId).where('id', '=', id).executeTakeFirst(),

  /** Newest first; a page is read from `idx_tasks_user_id` in its order, however far back it is. */
  list: (userId: string, { is_completed, q, ...page }: TaskFilter & PageRequest) => {
    let query = db.selectFrom('tasks').select(taskColumns).where('user_id', '=', userId);
    if (is_completed !== undefined) query = query.where('is_completed', '=', is_completed);
    if (q !== undefined) query = query.where((where) => where.or([contains('title', q), contains('description', q)]));
    return paged(query, page).execute();
  },

  /** Violates `fk_tasks_user_id` where there is no such user. */
  create: (task: NewTask) =>
    db
      .insertInto('tasks')
      .values({ id: v7(), ...task })
      .returning(taskColumns)
      .executeTakeFirstOrThrow(),

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
