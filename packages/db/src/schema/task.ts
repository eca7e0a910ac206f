import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, ownerPolicy, systemPolicy, updatedAt, updatedAtTrigger } from './columns.ts';
import { UserSchema } from './user.ts';

export const TaskSchema = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  comment: 'What a user has to do.',
  properties: {
    id: id(),
    user: () =>
      p.manyToOne(UserSchema).deleteRule('cascade').foreignKeyName('fk_tasks_user_id').comment('Whose task it is.'),
    title: p.string().length(200).comment('What is to be done; never blank.'),
    description: p.text().nullable().comment('Anything more to say about it.'),
    is_completed: p.boolean().default(false).comment('Whether it is done.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  indexes: [
    // The id is in it because pages go by the id: docs/decisions/003.
    { name: 'idx_tasks_user_id', properties: ['user', 'id'] },
    { name: 'idx_tasks_user_id_created_at', properties: ['user', 'created_at'] },
  ],
  triggers: [updatedAtTrigger],
  policies: [ownerPolicy('tasks', 'user_id'), systemPolicy('tasks')],
});
