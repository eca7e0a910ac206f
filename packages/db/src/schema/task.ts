import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, ownedBy, updatedAt, updatedAtTrigger } from './columns.ts';
import { UserSchema } from './user.ts';

export const TaskSchema = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  comment: 'To-do items of a user.',
  properties: {
    user: () =>
      p.manyToOne(UserSchema).primary().deleteRule('cascade').foreignKeyName('fk_tasks_user_id').comment('The owner.'),
    id: id(),
    title: p.string().length(200).comment('Short title; not blank.'),
    description: p.text().nullable().comment('Longer text.'),
    is_completed: p.boolean().default(false).comment('Whether the task is completed.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  indexes: [
    // No list uses it. It is for reports by date in SQL, which the first version of this schema promised.
    { name: 'idx_tasks_user_id_created_at', properties: ['user', 'created_at'] },
  ],
  triggers: [updatedAtTrigger],
  ...ownedBy('tasks', 'user_id'),
});
