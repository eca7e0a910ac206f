import { client } from './out/client.gen';
import { createTask, getTask, listTasks, login, register } from './out/sdk.gen';

export async function call(baseUrl: string, email: string, password: string, unknownId: string) {
  client.setConfig({ baseUrl });
  const registered = await register({ body: { email, password } });
  const signedIn = await login({ body: { email, password } });
  const token = signedIn.data?.access_token;
  client.setConfig({ auth: () => token });
  const path = { user_id: 'me' as const };
  const created = await createTask({ path, body: { title: 'Lay the cornerstone' } });
  const listed = await listTasks({ path, query: { limit: 5 } });
  const missing = await getTask({ path: { ...path, task_id: unknownId } });
  return {
    email: registered.data?.email,
    title: created.data?.title,
    titles: listed.data?.items.map(({ title }) => title),
    error: missing.error?.code,
  };
}
