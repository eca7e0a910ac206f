import { randomBytes } from 'node:crypto';
import type { Database, Scope } from '@quoin/db';
import type { Client } from '../client.ts';
import type { Config } from '../config.ts';
import { normalizeEmail } from '../email.ts';
import { Problem } from '../errors.ts';
import { byOneself } from '../owner.ts';
import { aliveAt } from '../session-lifetime.ts';
import { type AccessTokens, invalidToken } from './access-token.ts';
import { isOutdatedHash, type Passwords } from './password.ts';
import type { RefreshToken, RefreshTokens } from './refresh-token.ts';
import type { TokenPair } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  config: Pick<Config, 'sessionSeconds' | 'sessionInactivitySeconds' | 'refreshGraceSeconds'>;
  clock: () => Date;
}

/** Signing in, staying signed in, and signing out. */
export function createAuth({ database, passwords, accessTokens, refreshTokens, config, clock }: Dependencies) {
  return {
    /** @throws Problem `invalid_credentials`, whatever is wrong; `account_inactive` only to who knows the password */
    login: async (name: string, password: string, client: Client): Promise<TokenPair> => {
      // A second time where the hash has changed in between: another sign-in may have renewed it.
      const tokens = (await signIn(name, password, client)) ?? (await signIn(name, password, client));
      return tokens ?? refuse('wrong_password', undefined, client);
    },

    /**
     * The next tokens of a session. Of any number of tabs that refresh at once one rotates it, and within the grace window all of
     * them get the same refresh token. A token from before that is stolen, or its thief has been quicker: the session ends.
     *
     * @throws Problem `invalid_token`
     */
    refresh: async (text: string, client: Client): Promise<TokenPair> => {
      const token = refreshTokens.parse(text);
      if (!token) throw invalidToken();
      const now = clock();
      const alive = aliveAt(now, config);
      const rotated = await database.system(({ userSessions }) => userSessions.rotate(token, alive), {
        single: 'write',
        quick: true,
      });
      if (rotated) return tokensOf(rotated);

      const current = await findSession(token);
      // A forged token ends nothing: else anybody could sign out anybody.
      if (!current || !token.isOf(current.token_secret)) throw invalidToken();
      const isAlive = !current.revoked_at && current.expires_at > now && current.last_used_at > alive.idleSince;
      if (!isAlive) throw invalidToken();
      // Without a window there is no moment after which the previous token is still good.
      const graceSince = config.refreshGraceSeconds > 0 ? secondsAfter(now, -config.refreshGraceSeconds) : endOfTime;
      const isGrace =
        current.generation === token.generation + 1 && current.rotated_at !== null && current.rotated_at >= graceSince;
      if (isGrace) return tokensOf(current);

      await database.system(async ({ userSessions, auditEvents }) => {
        const isTheft = await userSessions.revokeStolen(current.id, token.generation, graceSince, now);
        const event = { action: 'refresh_token_stolen', user_id: current.user_id, session_id: current.id } as const;
        if (isTheft) await auditEvents.create({ ...event, ...client });
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

  /** Undefined where the password was changed, or the account deactivated, while this one was being verified. */
  async function signIn(name: string, password: string, client: Client): Promise<TokenPair | undefined> {
    const user = await database.system(({ users }) => users.findByLogin(normalizeEmail(name)), { single: 'read' });
    const isRight = await passwords.verify(password, user?.password_hash);
    if (!user) return refuse('unknown_account', undefined, client);
    if (!isRight) return refuse('wrong_password', user.id, client);
    if (!user.is_active) return refuse('account_inactive', user.id, client);

    const newHash = isOutdatedHash(user.password_hash) ? await passwords.hash(password) : undefined;
    const now = clock();
    const token_secret = randomBytes(32);
    return database.system(async ({ users, userSessions, auditEvents }) => {
      if (!(await users.lockUnchanged(user.id, user.password_hash))) return undefined;
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

  /** One row, whoever was meant and whatever was wrong. What was typed as the name is not kept: it may be a password. */
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

  function findSession({ sessionId }: RefreshToken) {
    return database.system(({ userSessions }) => userSessions.findForRefresh(sessionId), {
      single: 'read',
      quick: true,
    });
  }

  function tokensOf(session: { id: string; user_id: string; generation: number; token_secret: Uint8Array }): TokenPair {
    return {
      access_token: accessTokens.sign({ userId: session.user_id, sessionId: session.id }),
      refresh_token: refreshTokens.make(session.id, session.generation, session.token_secret),
      token_type: 'bearer',
      expires_in: accessTokens.expiresInSeconds,
    };
  }
}

export type Auth = ReturnType<typeof createAuth>;

const endOfTime = new Date('9999-12-31T00:00:00Z');

const secondsAfter = (moment: Date, seconds: number) => new Date(moment.getTime() + seconds * 1000);
