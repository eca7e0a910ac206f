import createFetchClient, {
  type ClientPathsWithMethod,
  type Client as FetchClient,
  type FetchResponse,
  type MaybeOptionalInit,
} from 'openapi-fetch';
import type { paths } from './openapi.d.ts';
import { ProblemError } from './problem-error.ts';
import type { Fetch } from './retry.ts';
import { type Credentials, createSession, type SignInOptions } from './session.ts';
import { memoryStore, type TokenStore } from './token-store.ts';

export interface ClientOptions {
  /** Where the server is, such as `https://api.example.com`. */
  baseUrl: string;
  /** Where the session is kept; by default in memory. */
  store?: TokenStore;
  /** What sends a request; by default `globalThis.fetch`. */
  fetch?: Fetch;
  /** Told when a call finds that the session is over: expired, ended by the server, or signed out of in another tab. */
  onSessionEnd?: () => void;
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type PathWith<M extends Method> = ClientPathsWithMethod<FetchClient<paths>, M>;
type Init<M extends Method, Path extends keyof paths> = MaybeOptionalInit<paths[Path], M>;
type Arguments<T> = undefined extends T ? [init?: T] : [init: T];
type Data<T> = T extends { data: infer Value } ? Value : never;
/** What `openapi-fetch` does for every method, without its types. */
type Send = (
  method: Method,
  path: string,
  init?: object,
) => Promise<{ data?: unknown; error?: unknown; response: Response }>;

/**
 * Sends a request to a path of the OpenAPI document. `init` has its `params` and its `body`, and what else `fetch` takes, such as a `signal`.
 *
 * @returns the body of the answer; undefined where it has none
 * @throws ProblemError for an answer that is no success; what `fetch` throws where there is no answer; the reason of the `signal`
 */
type Call<M extends Method> = <Path extends PathWith<M>>(
  path: Path,
  ...init: Arguments<Init<M, Path>>
) => Promise<Data<FetchResponse<paths[Path][M] & object, object, `${string}/${string}`>>>;

export interface Client {
  GET: Call<'get'>;
  POST: Call<'post'>;
  PUT: Call<'put'>;
  PATCH: Call<'patch'>;
  DELETE: Call<'delete'>;
  /** Begins a session, by email or username and password. @throws ProblemError `invalid_credentials`, `account_inactive`, `rate_limited` */
  signIn(credentials: Credentials, options?: SignInOptions): Promise<void>;
  /** Ends the session, here and on the server. @throws where the server could not be told; the session goes on then */
  signOut(): Promise<void>;
  /** Whether there is a session in the store. Whether the server still knows it shows with the next call. */
  isSignedIn(): Promise<boolean>;
}

/**
 * A client of the API that looks after its session: it refreshes the tokens before they expire, or when the server refuses one, once for all
 * calls and tabs that need it; and asks again after a 429 or 503 when the server says to.
 */
export function createClient({
  baseUrl,
  store = memoryStore(),
  fetch = globalThis.fetch,
  onSessionEnd,
}: ClientOptions): Client {
  const session = createSession({
    baseUrl: baseUrl.replace(/\/+$/, ''),
    store,
    fetch: (request) => fetch(request),
    onSessionEnd,
  });
  const { request } = createFetchClient<paths>({ baseUrl, fetch: session.fetch });
  const send = request as Send;

  const call = <M extends Method>(method: M) => {
    const checked = async (path: string, init?: object) => {
      const { data, error, response } = await send(method, path, init);
      if (!response.ok) throw new ProblemError(response, error);
      return data;
    };
    return checked as Call<M>;
  };
  return {
    GET: call('get'),
    POST: call('post'),
    PUT: call('put'),
    PATCH: call('patch'),
    DELETE: call('delete'),
    signIn: session.signIn,
    signOut: session.signOut,
    isSignedIn: session.isSignedIn,
  };
}
