import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  providerVariables,
  signInAt,
  startProvider,
  type TestProvider,
  throughProvider,
} from '../../testing/provider.ts';
import { addPasskey, addTotp, assertionOf, codeAt, emailCode, firstFactor } from '../../testing/sign-in-steps.ts';
import { expectProblem, password, startTestApp, type TestApp } from '../../testing/test-app.ts';
import { deleteExpiredChallenges } from './challenges.ts';
import { forgetUnusedClients } from './known-client.ts';

let api: TestApp;
let provider: TestProvider;
beforeAll(async () => {
  provider = await startProvider(['http://localhost/api/v1/auth/providers/acme/callback']);
  api = await startTestApp({
    PUBLIC_URL: 'http://localhost',
    OIDC_PROVIDERS: 'acme',
    ...providerVariables('acme', provider),
  });
});
afterAll(async () => {
  await api.close();
  await provider.close();
});

interface Operation {
  operationId: string;
  responses: object;
}
type Account = Awaited<ReturnType<typeof accountWith>>;
type Step = { path: string; body?: Record<string, unknown>; form?: Record<string, string> };
type Answer = Awaited<ReturnType<TestApp['send']>>;

const factorStates = {
  'no factor': {},
  totp: { totp: true },
  passkey: { passkey: true },
  'totp and passkey': { totp: true, passkey: true },
};

async function accountWith({ totp = false, passkey = false }) {
  const user = await api.signUp();
  const withTotp = totp ? await addTotp(api, user.token) : undefined;
  const withPasskey = passkey ? await addPasskey(api, user.token) : undefined;
  return { ...user, totp: withTotp, authenticator: withPasskey?.authenticator };
}

const mfaStep = async ({ email }: Account, factor: Record<string, unknown>): Promise<Step> => ({
  path: '/auth/mfa',
  body: { mfa_token: (await firstFactor(api, email)).mfa_token, ...factor },
});

/** The last step of each way in; undefined if an account with these factors does not have it. */
const waysIn: Record<string, { operation: string; lastStep: (account: Account) => Promise<Step | undefined> }> = {
  password: {
    operation: 'login',
    lastStep: async ({ email }) => ({ path: '/auth/login', body: { email, password } }),
  },
  'password of an OAuth 2 client': {
    operation: 'issueToken',
    lastStep: async ({ email }) => ({
      path: '/oauth/token',
      form: { grant_type: 'password', username: email, password },
    }),
  },
  'account at a provider': {
    operation: 'exchangeProviderCode',
    lastStep: async ({ id, token }) => {
      provider.accounts[id] = {};
      const linked = await signInAt(api, id, { token });
      expect(linked.statusCode).toBe(204);
      const { code, code_verifier } = await throughProvider(api, id);
      return { path: '/auth/exchange', body: { code, code_verifier } };
    },
  },
  'code by mail': {
    operation: 'signInWithEmailCode',
    lastStep: async ({ email }) => ({ path: '/auth/email-code/confirm', body: await emailCode(api, email) }),
  },
  passkey: {
    operation: 'signInWithPasskey',
    lastStep: async ({ authenticator }) =>
      authenticator && { path: '/auth/passkey', body: { credential: await assertionOf(api, authenticator) } },
  },
  'password, then totp': {
    operation: 'completeMfa',
    lastStep: async (account) => account.totp && (await mfaStep(account, { code: codeAt(api, account.totp.secret) })),
  },
  'password, then recovery code': {
    operation: 'completeMfa',
    lastStep: async (account) =>
      account.totp && (await mfaStep(account, { recovery_code: account.totp.recoveryCodes[0] })),
  },
  'password, then passkey': {
    operation: 'completeMfa',
    lastStep: async (account) =>
      account.authenticator && (await mfaStep(account, { credential: await assertionOf(api, account.authenticator) })),
  },
};

/** Returns the methods of the new session, or the code of the problem. */
async function outcomeOf(answer: Answer): Promise<string> {
  if (answer.statusCode !== 200) return answer.json().code;
  const token = answer.json().access_token;
  const sessions = await api.send('GET', '/auth/sessions', { token });
  const { methods } = sessions.json().items.find(({ current }: { current: boolean }) => current);
  return methods.join(' + ');
}

describe('beginning a session', () => {
  test('the matrix has every route that begins a session', async () => {
    const paths = (api.app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }).paths;
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    const beginning = operations
      .filter(({ responses }) => JSON.stringify(responses).includes('"#/components/schemas/TokenPair"'))
      .map(({ operationId }) => operationId)
      .filter((id) => id !== 'refresh');
    expect([...new Set(Object.values(waysIn).map(({ operation }) => operation))].sort()).toEqual(beginning.sort());
  });

  test('every way to sign in, with every state of the factors and of the account', async () => {
    const table: Record<string, Record<string, string>> = {};
    for (const [way, { lastStep }] of Object.entries(waysIn)) {
      const row: Record<string, string> = {};
      for (const [state, factors] of Object.entries(factorStates)) {
        for (const isActive of [true, false]) {
          const account = await accountWith(factors);
          const last = await lastStep(account);
          if (!last) continue;
          const { path, ...step } = last;
          if (!isActive) await api.database.system().users.update(account.id, { is_active: false });
          row[isActive ? state : `${state}, deactivated`] = await outcomeOf(await api.send('POST', path, step));
        }
      }
      table[way] = row;
    }
    const second = {
      'no factor': undefined,
      totp: 'mfa_required',
      passkey: 'mfa_required',
      'totp and passkey': 'mfa_required',
    };
    const firstOf = (method: string) => withDeactivated({ ...second, 'no factor': method });
    expect(table).toEqual({
      password: firstOf('pwd'),
      'password of an OAuth 2 client': firstOf('pwd'),
      'account at a provider': firstOf('ext'),
      'code by mail': firstOf('email'),
      passkey: withDeactivated({ passkey: 'hwk + mfa', 'totp and passkey': 'hwk + mfa' }),
      'password, then totp': withDeactivated({ totp: 'pwd + otp + mfa', 'totp and passkey': 'pwd + otp + mfa' }),
      'password, then recovery code': withDeactivated({
        totp: 'pwd + recovery + mfa',
        'totp and passkey': 'pwd + recovery + mfa',
      }),
      'password, then passkey': withDeactivated({ passkey: 'pwd + hwk + mfa', 'totp and passkey': 'pwd + hwk + mfa' }),
    });
  });

  test('after 100 sign-ins, an account has 10 a minute, whatever the way', async () => {
    const limited = await startTestApp({ RATE_LIMIT: 'true' });
    try {
      const user = await limited.register();
      for (let n = 0; n < 100; n++) await limited.login(user.email);
      const { challenge, code } = await emailCode(limited, user.email);
      const body = { challenge, code };
      expectProblem(await limited.send('POST', '/auth/email-code/confirm', { body }), 429, 'rate_limited');
      limited.clock.advance(60);
      expect((await limited.send('POST', '/auth/email-code/confirm', { body })).statusCode).toBe(200);
    } finally {
      await limited.close();
    }
  });

  test('a sign-in from a new network or browser sends one notice, in the language of the user', async () => {
    const user = await api.signUp();
    await api.send('PUT', '/users/me/preferences', { token: user.token, body: { locale: 'de-AT' } });
    const from = (remoteAddress: string, agent: string) =>
      api.send('POST', '/auth/login', {
        body: { email: user.email, password },
        remoteAddress,
        headers: { 'user-agent': agent },
      });
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    const newer = firefox.replaceAll('140.0', '141.0');
    const notices = async () =>
      (await api.mailsTo(user.email)).filter(({ subject }) => subject === 'Neue Anmeldung bei Ihrem Konto');
    await from('203.0.113.9', firefox);
    expect(await notices()).toHaveLength(1);
    await from('203.0.113.77', newer);
    expect(await notices()).toHaveLength(1);
    await from('198.51.100.1', firefox);
    const [, second] = await notices();
    expect(second?.text).toContain('198.51.100.1');
    expect(second?.html).toContain('lang="de"');
    const { rows } = await api.database.inspect((connection) =>
      connection.query<{ row: string }>('select k::text as row from known_clients k where user_id = $1', [user.id]),
    );
    expect(JSON.stringify(rows)).not.toMatch(/203\.0|198\.51|Firefox/);
  });

  test('expired challenges and unused clients are deleted', async () => {
    const user = await api.signUp();
    await emailCode(api, user.email);
    const rows = async () =>
      (
        await api.database.inspect((connection) =>
          connection.query<{ challenges: number; clients: number }>(
            `select (select count(*)::int from challenges where email = $1) as challenges,
               (select count(*)::int from known_clients where user_id = $2) as clients`,
            [user.email, user.id],
          ),
        )
      ).rows[0];
    const clean = async () => {
      await deleteExpiredChallenges(api.database, api.clock.now);
      await forgetUnusedClients(api.database, api.clock.now);
    };
    await clean();
    expect(await rows()).toEqual({ challenges: 1, clients: 1 });
    api.clock.advance(601);
    await clean();
    expect(await rows()).toEqual({ challenges: 0, clients: 1 });
    api.clock.advance(181 * 86_400);
    await clean();
    expect(await rows()).toEqual({ challenges: 0, clients: 0 });
  });

  test('access tokens tell other services how and when the user signed in', async () => {
    const account = await accountWith({ totp: true });
    const { mfa_token } = await firstFactor(api, account.email);
    const body = { mfa_token, code: codeAt(api, account.totp?.secret ?? '') };
    const tokens = (await api.send('POST', '/auth/mfa', { body })).json();
    const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const authenticatedAt = Math.floor(api.clock.now().getTime() / 1000);
    expect(claims(tokens.access_token)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], auth_time: authenticatedAt });
    api.clock.advance(60);
    const refreshed = await api.send('POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } });
    expect(claims(refreshed.json().access_token)).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      auth_time: authenticatedAt,
    });
  });
});

/** A deactivated account gets the same answer, after every right proof. */
function withDeactivated(row: Record<string, string | undefined>): Record<string, string | undefined> {
  const deactivated = Object.keys(row).map((state) => [`${state}, deactivated`, 'account_inactive']);
  return { ...row, ...Object.fromEntries(deactivated) };
}
