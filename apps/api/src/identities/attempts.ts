import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Database, requireSession, type Scope } from '@quoin/db';
import { hashOfChallenge, newChallenge } from '../auth/challenges.ts';
import type { Config } from '../config/config.ts';
import { invalid } from '../http/errors.ts';
import type { Profile } from './profile.ts';
import { type Attempt, outcomeOf, type Provider } from './provider.ts';

// An attempt to sign in at a provider, from the client that starts it to the code with which the same client finishes it. Its two steps wait as challenges.

/** Time to sign in at the provider. */
const attemptSeconds = 600;
/** Time in which the client exchanges its code. */
const exchangeSeconds = 60;

/** Stored between the start and the callback. */
interface Pending extends Omit<Attempt, 'state'> {
  provider: string;
  /** PKCE between the client and this server: only the client that started can finish. */
  code_challenge: string;
  return_to: string;
  /** Set if an identity is to be linked to the account of this session. */
  session_id: string | null;
}

/** Stored between the callback and the exchange. */
interface Stored extends Pick<Pending, 'provider' | 'code_challenge' | 'session_id'> {
  profile: Profile;
}

/** A sign-in at a provider that its client has finished. */
export interface FinishedAttempt {
  provider: Provider;
  profile: Profile;
  /** Set if the identity is to be linked. */
  session: { userId: string; sessionId: string } | undefined;
}

interface Dependencies {
  database: Database;
  config: Pick<Config, 'appUrl'>;
  providers: ReadonlyMap<string, Provider>;
  clock: () => Date;
  log: { warn: (details: object, message: string) => void };
}

export function createAttempts({ database, config, providers, clock, log }: Dependencies) {
  return {
    /**
     * Resolves to the page of the provider.
     *
     * @param redirectUri the callback of this server
     * @param scope set if an identity is to be linked
     * @throws Problem `provider_unavailable`, `validation_failed`
     */
    start: async (
      provider: Provider,
      { code_challenge, return_to = '/' }: { code_challenge: string; return_to?: string },
      redirectUri: string,
      scope?: Scope,
    ): Promise<string> => {
      requireOwnPath(return_to);
      const attempt: Attempt = {
        state: newChallenge(),
        nonce: randomBytes(32).toString('base64url'),
        code_verifier: randomBytes(32).toString('base64url'),
        redirect_uri: redirectUri,
      };
      const url = await provider.authorizationUrl(attempt);
      const { state, ...rest } = attempt;
      const session = scope && requireSession(scope);
      const pending: Pending = {
        ...rest,
        provider: provider.id,
        code_challenge,
        return_to,
        session_id: session?.sessionId ?? null,
      };
      await store('provider_state', state, attemptSeconds, session?.userId, { ...pending });
      return url;
    },

    /**
     * Takes the answer of a provider. Resolves to the page of the front end, with `code` or with `error`.
     *
     * @param search the query of the request, with `?`
     */
    receive: async (id: string, state: string, search: string): Promise<string> => {
      const challenge = await database.system().challenges.consume('provider_state', hashOfChallenge(state), clock());
      const pending = challenge?.data as Pending | undefined;
      const provider = providers.get(id);
      if (!pending || !provider || pending.provider !== id) return pageOf('/', { error: 'invalid_state' });
      const { return_to, code_challenge, session_id } = pending;
      const profile = await provider.finish(search, { ...pending, state }).catch((error) => {
        const { code, log: reason } = outcomeOf(error);
        if (code !== 'access_denied') log.warn({ provider: id, ...reason }, 'a sign-in with a provider failed');
        return code;
      });
      if (typeof profile === 'string') return pageOf(return_to, { error: profile });
      const code = newChallenge();
      const stored: Stored = { provider: id, profile, code_challenge, session_id };
      await store('provider_exchange', code, exchangeSeconds, challenge?.user_id ?? undefined, { ...stored });
      return pageOf(return_to, { code });
    },

    /** Resolves to undefined for a wrong, used or expired code, and for a verifier of another client. Uses the code up. */
    finish: async (code: string, codeVerifier: string): Promise<FinishedAttempt | undefined> => {
      const challenge = await database.system().challenges.consume('provider_exchange', hashOfChallenge(code), clock());
      const stored = challenge?.data as Stored | undefined;
      const provider = stored && providers.get(stored.provider);
      if (!provider || !isVerifierOf(stored.code_challenge, codeVerifier)) return undefined;
      const { profile, session_id: sessionId } = stored;
      const userId = challenge?.user_id;
      return { provider, profile, session: sessionId && userId ? { userId, sessionId } : undefined };
    },
  };

  async function store(
    purpose: 'provider_state' | 'provider_exchange',
    secret: string,
    seconds: number,
    userId: string | undefined,
    data: Record<string, unknown>,
  ): Promise<void> {
    const created_at = clock();
    await database.system().challenges.create({
      token_hash: hashOfChallenge(secret),
      purpose,
      user_id: userId ?? null,
      email: null,
      data,
      created_at,
      expires_at: new Date(created_at.getTime() + seconds * 1000),
    });
  }

  /** `..` in a path can lead to pages of somebody else on the host of APP_URL. @throws Problem `validation_failed` */
  function requireOwnPath(path: string): void {
    const isPath = /^\/(?![/\\])[^\\\0-\x20]*$/.test(path);
    if (!isPath || !pageOf(path, {}).startsWith(pageOf('/', {})))
      throw invalid('/return_to', 'must be a path below APP_URL, such as /welcome');
  }

  function pageOf(path: string, query: Record<string, string>): string {
    const url = new URL(`${config.appUrl.replace(/\/+$/, '')}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }
}

function isVerifierOf(codeChallenge: string, codeVerifier: string): boolean {
  const given = Buffer.from(hash('sha256', codeVerifier, 'base64url'));
  const expected = Buffer.from(codeChallenge);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
