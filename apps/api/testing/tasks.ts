import type { TestApp } from './test-app.ts';

// Tasks for tests.

/** A body with every field. */
export const wholeTask = { title: 'Title', description: 'Description, at length', is_completed: true };

export const newTaskBody = () => ({ ...wholeTask });

/** Creates a task for the user, or the organization, of a path. Resolves to its id and path, and a token of somebody who may change it. */
export async function createTask(api: TestApp, { base, token }: { base: string; token: string }, more = {}) {
  const collection = `${base}/tasks`;
  const body = { ...newTaskBody(), ...more };
  const response = await api.send('POST', collection, { token, body });
  if (response.statusCode !== 201) throw new Error(response.body);
  const { id } = response.json() as { id: string };
  return { id, path: `${collection}/${id}`, token };
}
