import createFetchClient from 'openapi-fetch';
import { createApiKeySession } from './api-key-session.ts';
import type { Call, Method } from './call.ts';
import { createCookieSession } from './cookie-session.ts';
import type { components, paths } from './openapi.d.ts';
import { createPasskeys, type Passkeys } from './passkeys.ts';
import { ProblemError } from './problem-error.ts';
import { type AttemptStore, attemptStore, createProviders, type Providers } from './providers.ts';
import { type Fetch, withIdempotencyKey } from './retry.ts';
import { type Credentials, createSession, type SignInOptions } from './session.ts';
import { memoryStore, type TokenStore } from './token-store.ts';

export interface ClientOptions {
  /** URL of the server, such as `https://api.example.com`. */
  baseUrl: string;
  /** Storage of the session's tokens. Default: memory. */
  store?: TokenStore;
  /** `cookie`: the browser keeps the session in a cookie that scripts cannot read. Default: tokens in `store`. */
  session?: 'tokens' | 'cookie';
  /** An API key (`quoin_k1_…`): for programs, instead of a session. */
  apiKey?: string;
  /** Keeps attempts to sign in with a provider while the browser is there. Default: `sessionStorage`, or memory. */
  attempts?: AttemptStore;
  /** Sends requests. Default: `globalThis.fetch`. */
  fetch?: Fetch;
  /** Called when a call finds that the session has ended: it expired, the server ended it, or another tab signed out. */
  onSessionEnd?: () => void;
}

export type MfaAnswer = Omit<components['schemas']['MfaCompletion'], 'session'>;
export type EmailCodeAnswer = Omit<components['schemas']['EmailCodeConfirmation'], 'session'>;

/** The methods of `openapi-fetch`, without its types. */
type Send = (
  method: Method,
  path: string,
  init?: object,
) => Promise<{ data?: unknown; error?: unknown; response: Response }>;

export interface Client {
  GET: Call<'get'>;
  POST: Call<'post'>;
  PUT: Call<'put'>;
  PATCH: Call<'patch'>;
  DELETE: Call<'delete'>;
  /**
   * Signs in by email or username, and password.
   *
   * @throws ProblemError `invalid_credentials`, `account_inactive`, `rate_limited`; `mfa_required` with `mfaToken` and `methods`, for `completeMfa`
   */
  signIn(credentials: Credentials, options?: SignInOptions): Promise<void>;
  /** Finishes signing in with a second factor. @throws ProblemError `invalid_credentials`; after five the token is void */
  completeMfa(answer: MfaAnswer, options?: SignInOptions): Promise<void>;
  /** Signs in with the `challenge` of `POST /auth/email-code` and the code from the mail. @throws ProblemError `invalid_credentials`, `mfa_required` */
  signInWithEmailCode(answer: EmailCodeAnswer, options?: SignInOptions): Promise<void>;
  passkeys: Passkeys;
  providers: Providers;
  /** Ends the session, also on the server. @throws if the server cannot be reached; the session continues */
  signOut(): Promise<void>;
  /** Whether the store contains a session. The server may have ended it; the next call will find out. */
  isSignedIn(): Promise<boolean>;
}

/**
 * Creates a client of the API that manages its session. It refreshes tokens before they expire and when the server rejects one, once for all
 * waiting calls and tabs. It retries a 429 or 503 with `Retry-After`, and a request without a response. Every POST, PATCH and DELETE outside `/auth` has an Idempotency-Key, so
 * that a retry has no second effect.
 */
export function createClient({
  baseUrl,
  store = memoryStore(),
  session: form = 'tokens',
  apiKey,
  attempts = attemptStore(),
  fetch = globalThis.fetch,
  onSessionEnd,
}: ClientOptions): Client {
  const options = { baseUrl: baseUrl.replace(/\/+$/, ''), fetch: (request: Request) => fetch(request), onSessionEnd };
  const session =
    apiKey !== undefined
      ? createApiKeySession(apiKey, options.fetch)
      : form === 'cookie'
        ? createCookieSession(options)
        : createSession({ ...options, store });
  const { request } = createFetchClient<paths>({
    baseUrl,
    fetch: (input) => session.fetch(withIdempotencyKey(input)),
  });
  const send = request as Send;

  const call = <M extends Method>(method: M) => {
    const checked = async (path: string, init?: object) => {
      const { data, error, response } = await send(method, path, init);
      if (!response.ok) throw new ProblemError(response, error);
      return data;
    };
    return checked as Call<M>;
  };
  const POST = call('post');
  return {
    GET: call('get'),
    POST,
    PUT: call('put'),
    PATCH: call('patch'),
    DELETE: call('delete'),
    signIn: (credentials, options) => session.signIn('/api/v1/auth/login', credentials, options),
    completeMfa: (answer, options) => session.signIn('/api/v1/auth/mfa', answer, options),
    signInWithEmailCode: (answer, options) => session.signIn('/api/v1/auth/email-code/confirm', answer, options),
    passkeys: createPasskeys({ POST }, session),
    providers: createProviders(POST, session, attempts),
    signOut: session.signOut,
    isSignedIn: session.isSignedIn,
  };
}
