import { isAxiosError } from 'axios';
import { createTask, getTask, listTasks, login, register } from './out';

export async function call(baseURL: string, email: string, password: string, unknownId: string) {
  const registered = await register({ email, password }, { baseURL });
  const { access_token } = await login({ email, password }, { baseURL });
  const options = { baseURL, headers: { Authorization: `Bearer ${access_token}` } };
  const created = await createTask('me', { title: 'Lay the cornerstone' }, undefined, options);
  const listed = await listTasks('me', { limit: 5 }, options);
  const missing = await getTask('me', unknownId, undefined, options).catch((error) => error);
  return {
    email: registered.email,
    title: created.title,
    titles: listed.items.map(({ title }) => title),
    error: isAxiosError(missing) ? missing.response?.data.code : undefined,
  };
}
