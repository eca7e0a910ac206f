import { randomBytes } from 'node:crypto';
import type { Database, Scope, User } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { type Client, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { Problem } from '../http/errors.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';
import { isOutdatedHash, type Passwords } from '../passwords/passwords.ts';
import { type AccessTokens, invalidToken } from './access-token.ts';
import { byOneself } from './owner.ts';
import type { RefreshTokens } from './refresh-token.ts';
import type { TokenPair } from './schemas.ts';
import { aliveAt } from './session-lifetime.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  config: Pick<Config, 'sessionSeconds' | 'sessionInactivitySeconds' | 'refreshGraceSeconds'>;
  limiter: Limiter;
  clock: () => Date;
}

const signInsOfOwner: Rate = { burst: 100, perMinute: 10 };

/** An account with its hash; undefined for a name that no account has. */
export type Account = User | undefined;

/** Signing in, staying signed in, and signing out. */
export function createAuth({ database, passwords, accessTokens, refreshTokens, config, limiter, clock }: Dependencies) {
  return {
    findAccount,

    /** The session of a refresh token; undefined for a text that this server has not made. */
    sessionIdOf: (text: string): string | undefined => refreshTokens.parse(text)?.sessionId,

    /**
     * @param account what `findAccount` found for the name
     * @throws Problem `invalid_credentials`, whatever is wrong; `account_inactive` only after the right password
     */
    login: async (account: Account, name: string, password: string, client: Client): Promise<TokenPair> => {
      const tokens =
        (await signIn(account, name, password, client)) ??
        // The hash has changed in between: another sign-in may have renewed it.
        (await signIn(await findAccount(name), name, password, client));
      return tokens ?? refuse('wrong_password', undefined, client);
    },

    /**
     * Returns the next tokens of a session. Of any number of tabs that refresh at once, one rotates the token, and the others get the same refresh
     * token. A copied token ends the session: docs/decisions/013 has the table.
     *
     * @throws Problem `invalid_token`
     */
    refresh: async (text: string, client: Client): Promise<TokenPair> => {
      const parsed = refreshTokens.parse(text);
      if (!parsed) throw invalidToken();
      const token = { ...parsed, userAgent: client.user_agent ?? '' };
      const now = clock();
      const alive = aliveAt(now, config);
      const rotated = await database.system(({ userSessions }) => userSessions.rotate(token, alive), {
        single: 'write',
        quick: true,
      });
      if (rotated) return tokensOf(rotated);

      const graceSince = config.refreshGraceSeconds > 0 ? secondsAfter(now, -config.refreshGraceSeconds) : undefined;
      const session = await database.system(
        ({ userSessions }) => userSessions.findUsedToken(token, alive, graceSince),
        { single: 'read', quick: true },
      );
      if (!session) throw invalidToken();
      const event = { user_id: session.user_id, session_id: session.id, ...client };
      if (session.is_grace) {
        const reuse = { action: 'refresh_token_reused', ...event } as const;
        await database.system(({ auditEvents }) => auditEvents.create(reuse), { single: 'write' });
        return tokensOf(session);
      }
      await database.system(async ({ userSessions, auditEvents }) => {
        const isRevoked = await userSessions.revokeStolen(token, now, graceSince);
        if (isRevoked) await auditEvents.create({ action: 'refresh_token_stolen', ...event });
      });
      throw invalidToken();
    },

    logout: (scope: Scope, client: Client) =>
      database.as(scope, async ({ userSessions, auditEvents }) => {
        await userSessions.revoke(scope.sessionId, 'logout', clock());
        await auditEvents.create({ action: 'signed_out', ...byOneself(scope), ...client });
      }),

    logoutAll: (scope: Scope, client: Client) =>
      database.as(scope, async ({ userSessions, auditEvents }) => {
        await userSessions.revokeAll(scope.userId, 'logout_all', clock());
        await auditEvents.create({ action: 'sessions_ended', ...byOneself(scope), ...client });
      }),
  };

  /** The account that a name means: an email or a username. */
  function findAccount(name: string): Promise<Account> {
    return database.system(({ users }) => users.findByLogin(normalizeEmail(name)), { single: 'read' });
  }

  /** Undefined if the password was changed, or the account deactivated, while this one was being verified. */
  async function signIn(user: Account, name: string, password: string, client: Client): Promise<TokenPair | undefined> {
    const caller = turnCallerOf(user?.id ?? normalizeEmail(name), client);
    const isRight = await passwords.verify(password, user?.password_hash, caller);
    if (!user) return refuse('unknown_account', undefined, client);
    if (!isRight || !user.password_hash) return refuse('wrong_password', user.id, client);
    const { password_hash } = user;
    if (!user.is_active) return refuse('account_inactive', user.id, client);

    // Each sign-in is a hash, a session and an event. Only the owner can fill this bucket.
    await limiter.take('sign-ins', user.id, signInsOfOwner);
    const newHash = isOutdatedHash(password_hash) ? await passwords.hash(password, caller) : undefined;
    const now = clock();
    const token_secret = randomBytes(32);
    return database.system(async ({ users, userSessions, auditEvents }) => {
      if (!(await users.lockUnchanged(user.id, password_hash))) return undefined;
      if (newHash) await users.update(user.id, { password_hash: newHash });
      const id = await userSessions.create({
        token_secret,
        user_id: user.id,
        user_agent: client.user_agent,
        ip_address: client.ip_address,
        created_at: now,
        last_used_at: now,
        expires_at: secondsAfter(now, config.sessionSeconds),
      });
      const event = { action: 'signed_in', user_id: user.id, actor_id: user.id, session_id: id } as const;
      await auditEvents.create({ ...event, ...client });
      return tokensOf({ id, user_id: user.id, generation: 0, token_secret });
    });
  }

  /** Records a failed sign-in. What was typed as the name is not kept: it may be a password. */
  async function refuse(
    reason: 'unknown_account' | 'wrong_password' | 'account_inactive',
    user_id: string | undefined,
    client: Client,
  ): Promise<never> {
    await database.system(
      ({ auditEvents }) =>
        auditEvents.create({ action: 'sign_in_failed', user_id: user_id ?? null, details: { reason }, ...client }),
      { single: 'write' },
    );
    if (reason === 'account_inactive') throw new Problem(reason, 'An admin has deactivated this account.');
    throw new Problem('invalid_credentials', 'There is no account with this name and password.');
  }

  function tokensOf(session: { id: string; user_id: string; generation: number; token_secret: Uint8Array }): TokenPair {
    return {
      access_token: accessTokens.sign({
        userId: session.user_id,
        sessionId: session.id,
        generation: session.generation,
      }),
      refresh_token: refreshTokens.make(session.id, session.generation, session.token_secret),
      token_type: 'bearer',
      expires_in: accessTokens.expiresInSeconds,
    };
  }
}

export type Auth = ReturnType<typeof createAuth>;

const secondsAfter = (moment: Date, seconds: number) => new Date(moment.getTime() + seconds * 1000);
