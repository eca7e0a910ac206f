import { type Database, requireSession, type Scope, type User } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { type Client, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { Problem, sessionEnded } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { AccessTokens } from './access-token.ts';
import { aliveAt } from './alive.ts';
import type { BeginSession, SignInResult } from './begin-session.ts';
import type { RefreshTokens } from './refresh-token.ts';
import type { TokenPair } from './schemas.ts';
import { tokenPairOf } from './tokens.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  config: Pick<Config, 'sessionInactivitySeconds' | 'refreshGraceSeconds'>;
  beginSession: BeginSession;
  limiter: Limiter;
  clock: () => Date;
}

/** An account with its password hash; undefined if no account has the name. */
export type Account = User | undefined;

const refreshesPerSession: Rate = { burst: 60, perMinute: 60 };

/** Signs in, refreshes and signs out. */
export function createAuth(dependencies: Dependencies) {
  const { database, passwords, refreshTokens, config, beginSession, limiter, clock } = dependencies;
  return {
    findAccount,

    /**
     * @param account the result of `findAccount` for the name
     * @throws Problem `invalid_credentials` for an unknown name and for a wrong password
     */
    login: async (account: Account, name: string, password: string, client: Client): Promise<SignInResult> => {
      const result =
        (await signIn(account, name, password, client)) ??
        // The hash has changed meanwhile: another sign-in may have renewed it.
        (await signIn(await findAccount(name), name, password, client));
      return result ?? refuse('wrong_password', undefined, client);
    },

    /**
     * Returns the next tokens of a session. Of concurrent refreshes, one rotates the token, and the others get the same refresh token. A copied token ends the
     * session: docs/decisions/013 has the state machine.
     *
     * @throws Problem `invalid_token`, `rate_limited`
     */
    refresh: async (text: string, client: Client): Promise<TokenPair> => {
      const parsed = refreshTokens.parse(text);
      if (!parsed) throw sessionEnded();
      await limiter.take('refresh', parsed.sessionId, refreshesPerSession);
      const token = { ...parsed, userAgent: client.user_agent ?? '' };
      const now = clock();
      const alive = aliveAt(now, config);
      const rotated = await database.system().refreshTokens.rotate(token, alive);
      if (rotated) return tokenPairOf(dependencies, rotated);

      const { refreshGraceSeconds } = config;
      const graceSince = refreshGraceSeconds > 0 ? new Date(now.getTime() - refreshGraceSeconds * 1000) : undefined;
      const session = await database.system().refreshTokens.findUsed(token, alive, graceSince);
      if (!session) throw sessionEnded();
      const event = { user_id: session.user_id, session_id: session.id, ...client };
      if (session.is_grace) {
        await database.system().auditEvents.create({ action: 'refresh_token_reused', ...event });
        return tokenPairOf(dependencies, session);
      }
      await database.system().transaction(async (repositories) => {
        const isRevoked = await repositories.refreshTokens.revokeStolen(token, now, graceSince);
        if (isRevoked) await repositories.auditEvents.create({ action: 'refresh_token_stolen', ...event });
      });
      throw sessionEnded();
    },

    logout: (scope: Scope, client: Client) =>
      database.as(scope).transaction(async ({ userSessions, auditEvents }) => {
        await userSessions.revoke(requireSession(scope).sessionId, 'logout', clock());
        await auditEvents.create({ action: 'signed_out', ...client });
      }),

    logoutAll: (scope: Scope, client: Client) =>
      database.as(scope).transaction(async ({ userSessions, auditEvents }) => {
        await userSessions.revokeAll('logout_all', clock());
        await auditEvents.create({ action: 'sessions_ended', ...client });
      }),
  };

  /** Finds an account by email or username. */
  function findAccount(name: string): Promise<Account> {
    return database.system().users.findByLogin(normalizeEmail(name));
  }

  /** Resolves to undefined if the password changed while it was verified. */
  async function signIn(
    user: Account,
    name: string,
    password: string,
    client: Client,
  ): Promise<SignInResult | undefined> {
    const caller = turnCallerOf(user?.id ?? normalizeEmail(name), client);
    const isRight = await passwords.verify(password, user?.password_hash, caller);
    if (!user) return refuse('unknown_account', undefined, client);
    if (!isRight || !user.password_hash) return refuse('wrong_password', user.id, client);
    const { password_hash } = user;
    const newHash = passwords.isOutdated(password_hash) ? await passwords.hash(password, caller) : undefined;
    return beginSession(user.id, client, async ({ users }) => {
      if (!(await users.lockUnchanged(user.id, password_hash))) return undefined;
      if (newHash) await users.update(user.id, { password_hash: newHash });
      return ['pwd'];
    });
  }

  /** Records a failed sign-in. Does not record the name that was typed: it may be a password. */
  async function refuse(
    reason: 'unknown_account' | 'wrong_password',
    user_id: string | undefined,
    client: Client,
  ): Promise<never> {
    const event = { action: 'sign_in_failed', user_id: user_id ?? null, details: { reason } } as const;
    await database.system().auditEvents.create({ ...event, ...client });
    throw new Problem('invalid_credentials', 'The name or the password is wrong.');
  }
}

export type Auth = ReturnType<typeof createAuth>;
