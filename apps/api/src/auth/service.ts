import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Database, Scope } from '@quoin/db';
import type { Config } from '../config.ts';
import { normalizeEmail } from '../email.ts';
import { Problem } from '../errors.ts';
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

/** Where a request came from, as far as we know. */
export interface Client {
  userAgent: string | undefined;
  ipAddress: string;
}

const userAgentLengthMax = 255;

/** Signing in, staying signed in, and signing out. */
export function createAuth({ database, passwords, accessTokens, refreshTokens, config, clock }: Dependencies) {
  return {
    /** @throws Problem `invalid_credentials`, whatever is wrong; `account_inactive` only to who knows the password */
    login: async (name: string, password: string, client: Client): Promise<TokenPair> => {
      // A second time where the hash has changed in between: another sign-in may have renewed it.
      const tokens = (await signIn(name, password, client)) ?? (await signIn(name, password, client));
      if (!tokens) throw invalidCredentials();
      return tokens;
    },

    /**
     * The next tokens of a session. Of any number of tabs that refresh at once one rotates it, and within the grace window all of
     * them get the same refresh token. A token from before that is stolen, or its thief has been quicker: the session ends.
     *
     * @throws Problem `invalid_token`
     */
    refresh: async (text: string): Promise<TokenPair> => {
      const token = refreshTokens.parse(text);
      const session = token && (await findSession(token));
      // A forged token ends nothing: else anybody could sign out anybody.
      if (!token?.isGenuine(session?.token_secret ?? Buffer.alloc(32)) || !session) throw invalidToken();

      const now = clock();
      const alive = aliveAt(now, config);
      const rotated = await database.system(({ userSessions }) =>
        userSessions.rotate(session.id, token.generation, alive),
      );
      if (rotated) return tokensOf({ ...session, generation: rotated.generation });

      const current = await findSession(token);
      const isAlive =
        current && !current.revoked_at && current.expires_at > now && current.last_used_at > alive.idleSince;
      if (!isAlive) throw invalidToken();
      // Without a window there is no moment after which the previous token is still good.
      const graceSince = config.refreshGraceSeconds > 0 ? secondsAfter(now, -config.refreshGraceSeconds) : endOfTime;
      const isGrace =
        current.generation === token.generation + 1 && current.rotated_at !== null && current.rotated_at >= graceSince;
      if (isGrace) return tokensOf(current);

      await database.system(({ userSessions }) =>
        userSessions.revokeStolen(session.id, token.generation, graceSince, now),
      );
      throw invalidToken();
    },

    logout: (scope: Scope) =>
      database.as(scope, ({ userSessions }) => userSessions.revoke(scope.sessionId, 'logout', clock())),

    logoutAll: (scope: Scope) =>
      database.as(scope, ({ userSessions }) => userSessions.revokeAll(scope.userId, 'logout_all', clock())),
  };

  /** Undefined where the password was changed, or the account deactivated, while this one was being verified. */
  async function signIn(name: string, password: string, client: Client): Promise<TokenPair | undefined> {
    const user = await database.system(({ users }) => users.findByLogin(normalizeEmail(name)));
    const isRight = await passwords.verify(password, user?.password_hash);
    if (!user || !isRight) throw invalidCredentials();
    if (!user.is_active) throw new Problem('account_inactive', 'An admin has deactivated this account.');

    const newHash = isOutdatedHash(user.password_hash) ? await passwords.hash(password) : undefined;
    const now = clock();
    const token_secret = randomBytes(32);
    return database.system(async ({ users, userSessions }) => {
      if (!(await users.lockUnchanged(user.id, user.password_hash))) return undefined;
      if (newHash) await users.update(user.id, { password_hash: newHash });
      const id = await userSessions.create({
        token_secret,
        user_id: user.id,
        user_agent: client.userAgent?.slice(0, userAgentLengthMax) ?? null,
        ip_address: storableAddress(client.ipAddress),
        created_at: now,
        last_used_at: now,
        expires_at: secondsAfter(now, config.sessionSeconds),
      });
      return tokensOf({ id, user_id: user.id, generation: 0, token_secret });
    });
  }

  function findSession({ sessionId }: RefreshToken) {
    return database.system(({ userSessions }) => userSessions.findForRefresh(sessionId), { transaction: false });
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

const invalidCredentials = () => new Problem('invalid_credentials', 'There is no account with this name and password.');

/** Behind a proxy it is what a header says, which can be anything. Without the zone of a link-local address, which PostgreSQL does not know. */
function storableAddress(address: string): string | null {
  const [bare = ''] = address.split('%');
  return isIP(bare) ? bare : null;
}

const endOfTime = new Date('9999-12-31T00:00:00Z');

const secondsAfter = (moment: Date, seconds: number) => new Date(moment.getTime() + seconds * 1000);
