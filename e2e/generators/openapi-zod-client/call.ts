import { isErrorFromAlias } from '@zodios/core';
import { createApiClient } from './out/client';

export async function call(baseUrl: string, email: string, password: string, unknownId: string) {
  const api = createApiClient(baseUrl);
  const registered = await api.register({ email, password });
  const { access_token } = await api.login({ email, password });
  const headers = { Authorization: `Bearer ${access_token}` };
  const params = { user_id: 'me' as const };
  const created = await api.createTask({ title: 'Lay the cornerstone' }, { params, headers });
  const listed = await api.listTasks({ params, queries: { limit: 5 }, headers });
  const missing = await api.getTask({ params: { ...params, task_id: unknownId }, headers }).catch((error) => error);
  const problem = isErrorFromAlias(api.api, 'getTask', missing) ? missing.response.data : undefined;
  return {
    email: registered.email,
    title: created.title,
    titles: listed.items.map(({ title }) => title),
    error: problem && 'code' in problem ? problem.code : undefined,
  };
}
