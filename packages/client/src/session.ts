import type { components, paths } from './openapi.d.ts';
import { ProblemError } from './problem-error.ts';
import { abortable, type Fetch, retrying } from './retry.ts';
import { timeoutSignal, uniqueId } from './runtime.ts';
import type { TokenStore, Tokens } from './token-store.ts';

type TokenPair = components['schemas']['TokenPair'];
export type Credentials = Omit<components['schemas']['Login'], 'session' | 'grant_type'>;

/** Time before its expiry at which a token is refreshed, or halfway through a shorter lifetime. */
const leewaySeconds = 30;
/** Limits a refresh that hangs, because every other tab waits for it. */
const refreshSecondsMax = 30;

const refresh = '/api/v1/auth/refresh' satisfies keyof paths;
const logout = '/api/v1/auth/logout' satisfies keyof paths;

export interface SignInOptions {
  signal?: AbortSignal | null;
}

/** Routes that begin a session. */
export type SignInPath =
  | '/api/v1/auth/login'
  | '/api/v1/auth/mfa'
  | '/api/v1/auth/passkey'
  | '/api/v1/auth/email-code/confirm'
  | '/api/v1/auth/exchange';

/** A session as tokens or as a cookie. */
export interface Session {
  /** Sends a request in the session, if there is one. */
  fetch: Fetch;
  /** Begins a session. @throws ProblemError */
  signIn: (path: SignInPath & keyof paths, body: object, options?: SignInOptions) => Promise<void>;
  signOut: () => Promise<void>;
  isSignedIn: () => Promise<boolean>;
}

interface SessionOptions {
  /** URL of the server, without a trailing slash. */
  baseUrl: string;
  store: TokenStore;
  fetch: Fetch;
  /** Called when a call finds that the session has ended. */
  onSessionEnd?: (() => void) | undefined;
}

/** Authorizes requests with the tokens of the store, and refreshes them once for all waiting calls and tabs. */
export function createSession({ baseUrl, store, fetch, onSessionEnd }: SessionOptions): Session {
  const send = retrying(fetch);
  const exclusively = createLock(store.name);
  let renewing: Promise<Tokens | undefined> | undefined;

  const post = (
    path: string,
    { body, token }: { body?: unknown; token?: string },
    signal: AbortSignal | null = timeoutSignal(refreshSecondsMax * 1000),
  ) =>
    new Request(`${baseUrl}${path}`, {
      method: 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    });

  /** Returns the tokens that follow stale ones. Another call or tab may have fetched them already. */
  const renew = async (stale: Tokens): Promise<Tokens | undefined> => {
    renewing ??= renewStored(stale).finally(() => {
      renewing = undefined;
    });
    const next = await renewing;
    // Another user may have signed in since. This call must not run in their name.
    return next?.session === stale.session ? next : undefined;
  };

  const renewStored = (stale: Tokens): Promise<Tokens | undefined> =>
    exclusively(async () => {
      const kept = await store.get();
      if (!kept) onSessionEnd?.();
      if (kept?.accessToken !== stale.accessToken) return kept;
      // Safe to repeat: within the grace window the server answers an old token with the current one.
      const request = post(refresh, { body: { refresh_token: kept.refreshToken } });
      const response = await send(request, { isRepeatable: true });
      if (response.ok) {
        const tokens = await tokensOf(response, kept.session);
        await store.set(tokens);
        return tokens;
      }
      const problem = await ProblemError.from(response);
      if (problem.status !== 401 && problem.status !== 403) throw problem;
      await store.set(undefined);
      onSessionEnd?.();
      return undefined;
    });

  /** Returns tokens to use. Refreshes them shortly before they expire; if that fails, the old ones may still work. */
  const freshTokens = async (signal: AbortSignal): Promise<Tokens | undefined> => {
    const kept = await store.get();
    if (!kept || Date.now() < kept.refreshAt) return kept;
    return abortable(
      renew(kept).catch(() => kept),
      signal,
    );
  };

  return {
    /**
     * Sends a request with the access token. If the server rejects the token, sends it once more with the next one.
     * Does not change a request with its own `Authorization`.
     */
    fetch: async (request: Request): Promise<Response> => {
      if (request.headers.has('authorization')) return send(request);
      const tokens = await freshTokens(request.signal);
      if (!tokens) return send(request);
      const response = await send(signedWith(tokens, request));
      if (response.status !== 401 || !(await isAboutToken(response))) return response;
      const next = await abortable(renew(tokens), request.signal);
      if (!next) return response;
      await response.body?.cancel();
      return send(signedWith(next, request));
    },

    signIn: async (path, body, { signal = null } = {}) => {
      const response = await send(post(path, { body }, signal));
      if (!response.ok) throw await ProblemError.from(response);
      const tokens = await tokensOf(response, uniqueId());
      await exclusively(async () => store.set(tokens));
    },

    /** Ends the session. @throws if the server cannot be reached; the session continues, and the call can be repeated */
    signOut: () =>
      exclusively(async () => {
        const kept = await store.get();
        if (!kept) return;
        const response = await signOutWith(kept);
        // 401: the session had ended before.
        if (!response.ok && response.status !== 401) throw await ProblemError.from(response);
        await store.set(undefined);
      }),

    isSignedIn: async (): Promise<boolean> => (await store.get()) !== undefined,
  };

  /** Runs within the lock, so it refreshes by itself: an expired access token cannot sign out. */
  async function signOutWith({ session, accessToken, refreshToken }: Tokens): Promise<Response> {
    const response = await send(post(logout, { token: accessToken }), { isRepeatable: true });
    if (response.status !== 401) return response;
    const refreshed = await send(post(refresh, { body: { refresh_token: refreshToken } }), { isRepeatable: true });
    if (!refreshed.ok) return refreshed;
    const tokens = await tokensOf(refreshed, session);
    await store.set(tokens);
    return send(post(logout, { token: tokens.accessToken }), { isRepeatable: true });
  }
}

/** Runs functions one after the other: across all tabs if the browser has Web Locks, otherwise within this one. */
function createLock(name: string | undefined) {
  const locks = name === undefined ? undefined : globalThis.navigator?.locks;
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    if (locks) return locks.request(`session: ${name}`, work) as Promise<T>;
    const result = last.then(work, work);
    last = result;
    return result;
  };
}

async function tokensOf(response: Response, session: string): Promise<Tokens> {
  const { access_token, refresh_token, expires_in } = (await response.json()) as TokenPair;
  const leeway = Math.min(leewaySeconds, expires_in / 2);
  return {
    session,
    accessToken: access_token,
    refreshToken: refresh_token,
    refreshAt: Date.now() + (expires_in - leeway) * 1000,
  };
}

function signedWith({ accessToken }: Tokens, request: Request): Request {
  const signed = request.clone();
  signed.headers.set('authorization', `Bearer ${accessToken}`);
  return signed;
}

async function isAboutToken(response: Response): Promise<boolean> {
  const { code } = await ProblemError.from(response.clone());
  return code === 'invalid_token' || code === 'expired_token';
}
