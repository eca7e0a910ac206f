import { randomUUID } from 'node:crypto';
import { createTestDatabase } from '@quoin/db/testing';
import type { InjectOptions } from 'fastify';
import { expect } from 'vitest';
import { buildApp } from '../src/app.ts';
import { parseConfig } from '../src/config/config.ts';
import type { OutgoingMail } from '../src/mail/transport.ts';
import type { HashCost } from '../src/passwords/passwords.ts';
import { createAnswerCheck } from './answer-check.ts';

// Shared by tests of the API: the application as it ships, on a new database, and builders of test data.

/** Redis of the tests. Without it, tests that need it are reported as skipped. CI sets it. */
export const testRedisUrl = process.env.TEST_REDIS_URL || undefined;

/** A second implementation of RFC 6238. Without it, the test that needs it is reported as skipped. CI sets it. */
export const testOathtool = process.env.TEST_OATHTOOL || undefined;

/** Python with Authlib. Without it, the test that needs it is reported as skipped. CI sets it. */
export const testAuthlib = process.env.TEST_AUTHLIB || undefined;

/** Number of malformed requests that the fuzzer sends. CI sends 10,000 once. */
export const malformedRequestsTotal = Number(process.env.MALFORMED_REQUESTS || 2_000);

export const password = 'correct horse battery';

/** Returns the default environment of a test. */
export const testEnvironment = (variables: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  NODE_ENV: 'test',
  SECRET_KEY: 'a secret that is only good for tests: 0123456789',
  RATE_LIMIT: 'false',
  LOG_LEVEL: 'silent',
  ...variables,
});

/** A real hash takes tens of milliseconds, and most tests need accounts. passwords.test.ts tests the real one. */
const cheapest: HashCost = { memoryCost: 8, timeCost: 1, parallelism: 1 };

/** Creates the application with a new database and a clock that only moves when told to. */
export async function startTestApp(
  variables: NodeJS.ProcessEnv = {},
  { log: lines, hashCost = cheapest }: { log?: string[]; hashCost?: HashCost } = {},
) {
  const database = await createTestDatabase();
  const config = parseConfig(testEnvironment(variables));
  const clock = createClock();
  const log = lines && { level: 'trace', stream: { write: (line: string) => void lines.push(line) } };
  const sent: OutgoingMail[] = [];
  const transport = async (mail: OutgoingMail) => void sent.push(mail);
  const app = await buildApp(config, database, {
    clock: clock.now,
    ...(log && { log }),
    transport,
    hashCost,
  });
  await app.ready();
  const checkAnswer = createAnswerCheck(app.swagger() as never);

  /** Sends a request and checks the response against the OpenAPI document. Paths are relative to the prefix, or begin with `//`. */
  const send = async (method: string, path: string, { token, body, form, headers, ...rest }: RequestOptions = {}) => {
    const url = path.startsWith('//') ? path.slice(1) : `${config.apiPrefix}${path}`;
    const response = await app.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(body !== undefined && { payload: body as InjectOptions['payload'] }),
      ...(form && { payload: new URLSearchParams(form).toString() }),
      ...rest,
    } as InjectOptions);
    checkAnswer(method, url, response);
    return response;
  };

  const register = async (account: Record<string, unknown> = {}) => {
    const response = await send('POST', '/auth/register', { body: { email: uniqueEmail(), password, ...account } });
    expect(response.statusCode).toBe(201);
    return response.json() as { id: string; email: string; username: string | null };
  };

  const login = async (username: string, secret = password) => {
    const response = await send('POST', '/auth/login', { body: { username, password: secret } });
    expect(response.statusCode).toBe(200);
    return response.json() as { access_token: string; refresh_token: string; token_type: string; expires_in: number };
  };

  /** Creates and signs in a user. */
  const signUp = async (account: Record<string, unknown> = {}) => {
    const user = await register(account);
    const tokens = await login(user.email);
    return { ...user, token: tokens.access_token, refreshToken: tokens.refresh_token };
  };

  /** Creates and signs in an admin. */
  const signUpAdmin = async () => {
    const admin = await signUp();
    await database.system().users.update(admin.id, { is_admin: true });
    return admin;
  };

  /** Creates and signs in a user whose email is verified. */
  const signUpVerified = async () => {
    const user = await signUp();
    await database.system().users.update(user.id, { email_verified_at: clock.now() });
    return user;
  };

  /** Creates an organization with a user per role. */
  const newOrganization = async () => {
    const [owner, admin, member] = [await signUpVerified(), await signUpVerified(), await signUpVerified()];
    const created = await send('POST', '/organizations', { token: owner.token, body: { name: 'The Masons' } });
    expect(created.statusCode).toBe(201);
    const { id } = created.json() as { id: string };
    await addMember(id, owner, admin, 'admin');
    await addMember(id, owner, member, 'member');
    return { id, path: `/organizations/${id}`, owner, admin, member };
  };

  type SignedUp = Awaited<ReturnType<typeof signUp>>;
  /** Invites a user, who accepts. */
  const addMember = async (organizationId: string, inviter: SignedUp, user: SignedUp, role: string) => {
    const invited = await send('POST', `/organizations/${organizationId}/invitations`, {
      token: inviter.token,
      body: { email: user.email, role },
    });
    expect(invited.statusCode).toBe(201);
    const body = { token: await tokenFor('accept-invitation', user.email) };
    expect((await send('POST', '/invitations/accept', { token: user.token, body })).statusCode).toBe(200);
  };

  /** Uses an access token and waits until the session has recorded the use. */
  const useSession = async (token: string) => {
    expect((await send('GET', '/users/me', { token })).statusCode).toBe(200);
    const { sid, gen } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const used = async () =>
      (
        await database.inspect((connection) =>
          connection.query<{ used_generation: number }>('select used_generation from user_sessions where id = $1', [
            sid,
          ]),
        )
      ).rows[0]?.used_generation;
    await expect.poll(used).toBe(gen);
  };

  /** Sends the waiting mails and returns those to an address. */
  const mailsTo = async (address: string) => {
    await app.runner.runDue('send mail');
    return sent.filter(({ to }) => to === address);
  };

  /** Returns the token of the last mail to an address with a link to this page. */
  const tokenFor = async (page: 'reset-password' | 'verify-email' | 'accept-invitation', address: string) => {
    const mails = await mailsTo(address);
    const link = mails.findLast((mail) => mail.link?.includes(`/${page}?`))?.link ?? '';
    return new URL(link).searchParams.get('token') ?? '';
  };

  const close = async () => {
    await app.close();
    await database.close();
  };
  return {
    app,
    config,
    database,
    clock,
    send,
    register,
    login,
    signUp,
    signUpVerified,
    newOrganization,
    addMember,
    signUpAdmin,
    useSession,
    mailsTo,
    tokenFor,
    close,
  };
}

export type TestApp = Awaited<ReturnType<typeof startTestApp>>;

export const uniqueEmail = () => `${randomUUID()}@example.com`;

interface RequestOptions extends Omit<InjectOptions, 'method' | 'url' | 'body' | 'payload'> {
  token?: string | undefined;
  /** A string or bytes are sent unchanged, anything else as JSON. */
  body?: unknown;
  form?: Record<string, string>;
  headers?: Record<string, string>;
}

function createClock() {
  let time = Date.now();
  return {
    now: () => new Date(time),
    advance: (seconds: number) => {
      time += seconds * 1000;
    },
  };
}

/** Expects a complete problem document with this status and code. */
export function expectProblem(response: Awaited<ReturnType<TestApp['send']>>, status: number, code: string) {
  const problem = response.json();
  expect({ status: response.statusCode, code: problem.code }).toEqual({ status, code });
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(problem).toMatchObject({
    type: `urn:quoin:problem:${code}`,
    title: expect.any(String),
    status,
    detail: expect.any(String),
    instance: expect.any(String),
    request_id: response.headers['x-request-id'],
  });
  if (status === 401)
    expect(response.headers['www-authenticate']).toMatch(code === 'step_up_required' ? /^Bearer error=/ : /^Bearer$/);
  if (status === 503 || status === 429) expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  if (status === 405) expect(response.headers.allow).toBeTruthy();
  return problem as { detail: string; errors?: { in: string; pointer: string; message: string }[] };
}
