import { keptOpen, runInProcess } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { addTotp } from '../../testing/sign-in-steps.ts';
import { startTestApp, testEnvironment } from '../../testing/test-app.ts';
import { createSealed } from '../config/sealed.ts';
import { keysCommand } from './keys.ts';

test('npm run keys -- reseal encrypts the secrets of authenticator apps with the new SECRET_KEY', async () => {
  const api = await startTestApp();
  try {
    const users = [await api.signUp(), await api.signUp()];
    for (const { token } of users) await addTotp(api, token);
    const stored = async () =>
      (
        await api.database.inspect((connection) =>
          connection.query<{ user_id: string; secret: Buffer }>('select user_id, secret from totps order by user_id'),
        )
      ).rows;
    const old = createSealed(api.config.secretKey, []);
    const before = (await stored()).map(({ user_id, secret }) => old.open(secret, user_id));

    const SECRET_KEY = 'another secret that is only good for tests: 42';
    const run = (variables: NodeJS.ProcessEnv) =>
      runInProcess(keysCommand(keptOpen(api.database)), ['reseal'], {
        env: testEnvironment({ SECRET_KEY, ...variables }),
      });
    const refused = await run({});
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('PREVIOUS_SECRET_KEYS');
    const both = { PREVIOUS_SECRET_KEYS: api.config.secretKey };
    expect(await run(both)).toEqual({ code: 0, stdout: '2 secrets encrypted again\n', stderr: '' });
    expect((await run(both)).stdout).toBe('0 secrets encrypted again\n');

    const current = createSealed(SECRET_KEY, []);
    expect((await stored()).map(({ user_id, secret }) => current.open(secret, user_id))).toEqual(before);
    expect((await run({ PREVIOUS_SECRET_KEYS: 'short' })).stderr).toContain('at least 32 bytes');
  } finally {
    await api.close();
  }
});
