import type { components } from '@quoin/client';
import { type FormEvent, useEffect, useState } from 'react';
import { api } from './session';

type Task = components['schemas']['Task'];
const params = { path: { user_id: 'me' as const } };

export function Tasks({ onSignedOut }: { onSignedOut: () => void }) {
  const [tasks, setTasks] = useState<Task[]>([]);
  useEffect(() => {
    api.GET('/api/v1/users/{user_id}/tasks', { params }).then(({ items }) => setTasks(items));
  }, []);

  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get('title'));
    const task = await api.POST('/api/v1/users/{user_id}/tasks', { params, body: { title } });
    setTasks((known) => [task, ...known]);
    form.reset();
  };
  const signOut = async () => {
    await api.signOut();
    onSignedOut();
  };

  return (
    <>
      <h1>Tasks</h1>
      <form onSubmit={add}>
        <input name="title" placeholder="What is to be done?" required />
        <button type="submit">Add</button>
      </form>
      <ul>
        {tasks.map(({ id, title }) => (
          <li key={id}>{title}</li>
        ))}
      </ul>
      <button type="button" onClick={signOut}>
        Sign out
      </button>
    </>
  );
}
