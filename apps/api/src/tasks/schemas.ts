import { type Static, Type } from '@fastify/type-provider-typebox';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, nullable, Timestamp } from '../http/schema.ts';

const properties = {
  title: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '\\S',
    description: 'What is to be done. Not blank; kept as it is.',
    examples: ['Lay the cornerstone'],
  }),
  description: nullable(
    Type.String({ maxLength: 10_000, description: 'Anything more to say about it.', examples: ['Before the walls'] }),
  ),
  is_completed: Type.Boolean({ description: 'Whether it is done.', examples: [false] }),
};

export const Task = closed(
  {
    id: Id('The task.'),
    user_id: Id('Whose it is.'),
    ...properties,
    created_at: Timestamp('When it was made.'),
    updated_at: Timestamp('When it was last changed.'),
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
  is_completed: Type.Optional(Type.Boolean({ description: 'Only those that are, or are not.' })),
  q: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'A part of the title or the description, in any case.' }),
  ),
});
export type TaskQuery = Static<typeof TaskQuery>;

const owner = {
  user_id: Type.Union([Type.Literal('me'), Type.String({ format: 'uuid' })], {
    description: '`me`, your own id, or for an admin anybody’s.',
    examples: ['me'],
  }),
};

export const OwnerParams = closed(owner);
export const TaskParams = closed({ ...owner, task_id: Id('The task.') });
