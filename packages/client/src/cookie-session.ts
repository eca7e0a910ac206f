import type { paths } from './openapi.d.ts';
import { ProblemError } from './problem-error.ts';
import { type Fetch, retrying } from './retry.ts';
import type { Session } from './session.ts';

const logout = '/api/v1/auth/logout' satisfies keyof paths;
const me = '/api/v1/auth/me' satisfies keyof paths;

interface CookieSessionOptions {
  /** URL of the server, without a trailing slash. */
  baseUrl: string;
  fetch: Fetch;
  /** Called when a call finds that the session has ended. */
  onSessionEnd?: (() => void) | undefined;
}

/** A session in a cookie that scripts cannot read. The browser keeps it, and the server decides how long it lives. */
export function createCookieSession({ baseUrl, fetch, onSessionEnd }: CookieSessionOptions): Session {
  const send = retrying((request) => fetch(new Request(request, { credentials: 'include' })));
  const post = (path: string, body?: object, signal: AbortSignal | null = null) =>
    new Request(`${baseUrl}${path}`, {
      method: 'POST',
      signal,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });

  /** As far as this client has seen: scripts cannot see the cookie. */
  let wasSignedIn = false;

  return {
    fetch: async (request) => {
      const response = await send(request);
      if (response.status !== 401) return response;
      const { code } = await ProblemError.from(response.clone());
      const hasEnded = code === 'invalid_token' || (code === 'missing_token' && wasSignedIn);
      if (hasEnded) {
        wasSignedIn = false;
        onSessionEnd?.();
      }
      return response;
    },

    signIn: async (path, body, { signal = null } = {}) => {
      const response = await send(post(path, { ...body, session: 'cookie' }, signal));
      if (!response.ok) throw await ProblemError.from(response);
      wasSignedIn = true;
    },

    signOut: async () => {
      const response = await send(post(logout), { isRepeatable: true });
      // 401: the session had ended before.
      if (!response.ok && response.status !== 401) throw await ProblemError.from(response);
      wasSignedIn = false;
    },

    /** Asks the server. */
    isSignedIn: async () => {
      const response = await send(new Request(`${baseUrl}${me}`));
      if (!response.ok && response.status !== 401) throw await ProblemError.from(response);
      wasSignedIn = response.ok;
      return response.ok;
    },
  };
}
