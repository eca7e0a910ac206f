import type { Insertable, Updateable } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { OwnerContext } from './context.ts';
import { containsText, type PageRequest, paged, scanned, scannedMax } from './page.ts';
import { hasVersion, type Versions, versionOf } from './version.ts';

const columns = ['id', 'user_id', 'title', 'description', 'is_completed', 'created_at', 'updated_at'] as const;
const version = versionOf('tasks');

export type NewTask = Omit<Insertable<Tables['tasks']>, 'id' | 'user_id' | 'created_at' | 'updated_at'>;
export type TaskChanges = Omit<Updateable<Tables['tasks']>, 'id' | 'user_id' | 'created_at' | 'updated_at'>;
export interface TaskFilter {
  is_completed?: boolean | undefined;
  /** Text in the title or the description, regardless of case. */
  q?: string | undefined;
}

/** Tasks of the owner. */
export const tasks = ({ db, fast, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    find: (id: string, versions?: Versions) =>
      fast
        .selectFrom('tasks')
        .select(columns)
        .select(version)
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('tasks', versions))
        .executeTakeFirst(),

    /**
     * Newest first. Without a filter, reads the page from the primary key in its order. A filter looks at `scannedMax` rows.
     *
     * @returns `scannedTo`: the id of the last row that the filter looked at, if more follow and the page is not full
     */
    list: async ({ is_completed, q, after, ...page }: TaskFilter & PageRequest) => {
      const isFiltered = is_completed !== undefined || q !== undefined;
      const own = (isFiltered || page.skip !== undefined ? db : fast)
        .selectFrom('tasks')
        .select(columns)
        .where('user_id', '=', userId);
      if (!isFiltered) return { rows: await paged(own, { ...page, after }).execute(), scannedTo: undefined };
      // First, so that rows that are deleted meanwhile do not move it past rows that were not looked at.
      const last = await scanned(db.selectFrom('tasks').select('id').where('user_id', '=', userId), after)
        .offset(scannedMax - 1)
        .executeTakeFirst();
      let query = db.selectFrom(scanned(own, after).as('tasks')).selectAll();
      if (last) query = query.where('id', '>=', last.id);
      if (is_completed !== undefined) query = query.where('is_completed', '=', is_completed);
      if (q !== undefined)
        query = query.where(({ or }) => or([containsText('title', q), containsText('description', q)]));
      const rows = await paged(query, page).execute();
      return { rows, scannedTo: rows.length > page.limit ? undefined : last?.id };
    },

    /** Violates `fk_tasks_user_id` if the user no longer exists. */
    create: (task: NewTask) =>
      fast
        .insertInto('tasks')
        .values({ id: newId(), user_id: userId, ...task })
        .returning(columns)
        .returning(version)
        .executeTakeFirstOrThrow(),

    /** @param versions changes the task only if it has one of them */
    update: (id: string, changes: TaskChanges, versions?: Versions) =>
      fast
        .updateTable('tasks')
        .set(changes)
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('tasks', versions))
        .returning(columns)
        .returning(version)
        .executeTakeFirst(),

    /** Resolves to whether the task existed, with one of the versions. */
    delete: async (id: string, versions?: Versions) => {
      const { numDeletedRows } = await fast
        .deleteFrom('tasks')
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('tasks', versions))
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
};
