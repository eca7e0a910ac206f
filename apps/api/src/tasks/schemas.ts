import { type Static, Type } from '@fastify/type-provider-typebox';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, nullable, OwnerId, Timestamp } from '../http/schema.ts';

const properties = {
  title: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '\\S',
    description: 'Short title; not blank.',
    examples: ['Lay the cornerstone'],
  }),
  description: nullable(
    Type.String({ maxLength: 10_000, description: 'Longer text.', examples: ['Before the walls'] }),
  ),
  is_completed: Type.Boolean({ description: 'Whether the task is completed.', examples: [false] }),
};

export const Task = closed(
  {
    id: Id('Id of the task.'),
    user_id: Id('Id of the owner.'),
    ...properties,
    created_at: Timestamp('When the task was created.'),
    updated_at: Timestamp('When the task was last changed.'),
  },
  { title: 'Task' },
);

export const TaskPage = pageOf('TaskPage', Task);

export const NewTask = closed(
  {
    title: properties.title,
    description: Type.Optional(properties.description),
    is_completed: Type.Optional(properties.is_completed),
  },
  { title: 'NewTask', examples: [{ title: 'Lay the cornerstone', description: 'Before the walls' }] },
);
export type NewTask = Static<typeof NewTask>;

export const TaskChanges = changesOf(properties, { title: 'TaskChanges', examples: [{ is_completed: true }] });
export type TaskChanges = Static<typeof TaskChanges>;

export const TaskQuery = closed({
  ...pageQuery,
  is_completed: Type.Optional(Type.Boolean({ description: 'Filter by is_completed.' })),
  q: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'Text in the title or description, regardless of case.',
    }),
  ),
});
export type TaskQuery = Static<typeof TaskQuery>;

export const TaskParams = closed({ user_id: OwnerId, task_id: Id('Id of the task.') });
