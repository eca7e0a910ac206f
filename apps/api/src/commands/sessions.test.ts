import { keptOpen, runInProcess } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { expectProblem, startTestApp, testEnvironment } from '../../testing/test-app.ts';
import { sessionsCommand } from './sessions.ts';

test('npm run sessions -- end-all ends every access token and refresh token', async () => {
  const api = await startTestApp();
  try {
    const users = [await api.signUp(), await api.signUp(), await api.signUp()];
    const run = (args: string[]) =>
      runInProcess(sessionsCommand(keptOpen(api.database)), args, { env: testEnvironment() });
    expect(await run(['end-all'])).toEqual({ code: 0, stdout: 'ended 3 sessions\n', stderr: '' });
    for (const { token, refreshToken } of users) {
      expectProblem(await api.send('GET', '/users/me', { token }), 401, 'invalid_token');
      const body = { refresh_token: refreshToken };
      expectProblem(await api.send('POST', '/auth/refresh', { body }), 401, 'invalid_token');
    }
    expect((await run(['end-all'])).stdout).toBe('ended 0 sessions\n');
    expect((await run([])).code).toBe(2);
    await api.login(users[0]?.email ?? '');
  } finally {
    await api.close();
  }
});
