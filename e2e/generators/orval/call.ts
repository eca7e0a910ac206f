import { createTask, getTask, listTasks, login, register } from './out/client';

export async function call(baseUrl: string, email: string, password: string, unknownId: string) {
  const send = globalThis.fetch;
  // The generated client has paths only.
  globalThis.fetch = (path, options) => send(`${baseUrl}${path}`, options);
  const registered = await register({ email, password });
  const signedIn = await login({ email, password });
  if (signedIn.status !== 200) throw new Error(`login answered ${signedIn.status}`);
  const options = { headers: { Authorization: `Bearer ${signedIn.data.access_token}` } };
  const created = await createTask('me', { title: 'Lay the cornerstone' }, options);
  const listed = await listTasks('me', { limit: 5 }, options);
  const missing = await getTask('me', unknownId, options);
  return {
    email: registered.status === 201 ? registered.data.email : undefined,
    title: created.status === 201 ? created.data.title : undefined,
    titles: listed.status === 200 ? listed.data.items.map(({ title }) => title) : undefined,
    error: missing.status === 404 ? missing.data.code : undefined,
  };
}
