import { createHash, randomBytes } from 'node:crypto';
import { hash } from '@node-rs/argon2';
import { connect, migrations } from '@quoin/db';
import { createAccessTokens } from '../apps/api/src/auth/access-token.ts';
import { formatApiKey } from '../apps/api/src/auth/api-key.ts';
import { createRefreshTokens } from '../apps/api/src/auth/refresh-token.ts';

// Fills the database of the benchmarks: users with one session and one API key each, and tasks for some of them, as the application writes them. The tokens are
// valid for every candidate.

export const secretKey = randomBytes(48).toString('base64');
const password = 'correct horse battery';
/** Users whose rows are requested. The others make the tables large. */
export const activeUsers = 5_000;
/** Users with tasks, and tasks per user. */
const usersWithTasks = 500;
const tasksEach = 200;
const batchSize = 50_000;
const tokenSeconds = 86_400;

/** Returns UUIDs of version 7, ordered by number and distinct between kinds. */
const id = (n: string, kind: number) =>
  `(lpad(to_hex(1780000000000 + ${n}), 12, '0') || '7000800000000000000${kind}')::uuid`;
const idOf = (n: number, kind: number) => {
  const time = (1_780_000_000_000 + n).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-00000000000${kind}`;
};
const userKind = 1;
const sessionKind = 2;
const keyKind = 4;

/** Migrates an empty database and fills it. Calls `progress` with the number of users done. */
export async function fill(url: string, users: number, progress: (done: number) => void): Promise<void> {
  const database = await connect(url);
  try {
    await migrations.upgrade(database);
    const passwordHash = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    await database.maintain(async (connection) => {
      for (let done = 0; done < users; done += batchSize) {
        const range = [done, Math.min(done + batchSize, users) - 1];
        await connection.query(
          `insert into users (id, email, username, full_name, is_admin, password_hash, created_at, updated_at)
           select ${id('n', userKind)}, 'user' || n || '@example.com', 'user' || n, 'User Number ' || n, n = 0, $3, moment, moment
           from generate_series($1::bigint, $2::bigint) n, to_timestamp(1780000000 + n / 1000.0) moment`,
          [...range, passwordHash],
        );
        await connection.query(
          `insert into user_sessions (id, user_id, token_secret, user_agent, ip_address, expires_at)
           select id, ${id('n', userKind)}, sha256(id::text::bytea), 'wrk', '127.0.0.1', now() + interval '30 days'
           from generate_series($1::bigint, $2::bigint) n, lateral (select ${id('n', sessionKind)} as id) as session`,
          range,
        );
        await connection.query(
          `insert into api_keys (id, user_id, name, secret_hash, scopes, expires_at)
           select id, ${id('n', userKind)}, 'wrk', sha256(sha256(id::text::bytea)), '{profile:read}', now() + interval '30 days'
           from generate_series($1::bigint, $2::bigint) n, lateral (select ${id('n', keyKind)} as id) as key`,
          range,
        );
        progress(range[1] ?? 0);
      }
      await connection.query(
        `insert into tasks (id, user_id, title, description)
         select ${id(`n * ${tasksEach} + m`, 3)}, ${id('n', userKind)}, 'Task ' || m, 'What is to be done, in a sentence or two.'
         from generate_series(0, $1::bigint - 1) n, generate_series(0, $2::bigint - 1) m`,
        [usersWithTasks, tasksEach],
      );
      // TypeORM leaves ids to the database.
      await connection.execute('alter table tasks alter id set default gen_random_uuid()');
      await connection.execute('vacuum analyze users, user_sessions, api_keys, tasks');
    });
  } finally {
    await database.close();
  }
}

/** Fills better-auth's tables, which its server created, with the same number of users and sessions. */
export async function fillBetterAuth(url: string, users: number): Promise<void> {
  const database = await connect(url);
  try {
    await database.maintain(async (connection) => {
      await connection.query(
        `insert into "user" (id, name, email, "emailVerified", "updatedAt")
         select 'user' || n, 'User Number ' || n, 'user' || n || '@example.com', true, now() from generate_series(0, $1::bigint - 1) n`,
        [users],
      );
      await connection.query(
        `insert into session (id, "userId", token, "expiresAt", "updatedAt")
         select 'session' || n, 'user' || n, md5('token' || n), now() + interval '7 days', now() from generate_series(0, $1::bigint - 1) n`,
        [users],
      );
      await connection.execute('vacuum analyze "user", session');
    });
  } finally {
    await database.close();
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Returns the tokens of all workloads. */
export function createTokens() {
  const settings = {
    secretKey,
    signingKey: undefined,
    previousKeys: [],
    jwtIssuer: 'quoin',
    jwtAudience: 'quoin',
    accessTokenSeconds: tokenSeconds,
  };
  const accessTokens = createAccessTokens(settings, () => new Date());
  const refreshTokens = createRefreshTokens(secretKey);
  const cookieValues = createRefreshTokens(secretKey, 'session cookie');
  const accessToken = (n: number) =>
    accessTokens.sign({
      userId: idOf(n, userKind),
      sessionId: idOf(n, sessionKind),
      generation: 0,
      methods: ['pwd'],
      authenticatedAt: new Date(),
    });
  const sessionOf = (n: number) => {
    const id = idOf(n, sessionKind);
    return { id, user_id: idOf(n, userKind), generation: 0, token_secret: createHash('sha256').update(id).digest() };
  };
  return {
    admin: accessToken(0),
    users: numbers(activeUsers).map(accessToken),
    cookies: numbers(activeUsers).map((n) => cookieValues.create(sessionOf(n))),
    apiKeys: numbers(activeUsers).map((n) => {
      const id = idOf(n, keyKind);
      return formatApiKey({ userId: idOf(n, userKind), id, secret: createHash('sha256').update(id).digest() });
    }),
    usersWithTasks: numbers(usersWithTasks).map(accessToken),
    /** Each candidate refreshes other sessions. */
    refresh: numbers(activeUsers).map((n) => refreshTokens.create(sessionOf(activeUsers + n))),
    plainRefresh: numbers(activeUsers).map((n) => `${sessionOf(2 * activeUsers + n).id}.0`),
    betterAuth: numbers(activeUsers).map((n) => createHash('md5').update(`token${n}`).digest('hex')),
  };
}

/** Signs in the next user. Resolves to the status of the response. */
export function signIn(api: string): () => Promise<number> {
  let n = 0;
  return async () => {
    n = (n + 1) % activeUsers;
    const response = await fetch(`${api}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: `user${n}@example.com`, password }),
    });
    await response.arrayBuffer();
    return response.status;
  };
}

/** Resets the sessions to their state before the first refresh. */
export const resetSessionsStatement =
  'update user_sessions set generation = 0, rotated_at = null, revoked_at = null, revoked_reason = null where generation > 0';
