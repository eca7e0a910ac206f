import { type Fetch, retrying } from './retry.ts';
import type { Session } from './session.ts';

/** Sends every request with an API key. There is nothing to refresh. */
export function createApiKeySession(apiKey: string, fetch: Fetch): Session {
  const send = retrying(fetch);
  const noSession = async () => {
    throw new Error('a client with an API key has no session: create another client to sign in');
  };
  return {
    fetch: (request) => {
      if (request.headers.has('authorization')) return send(request);
      const signed = new Request(request);
      signed.headers.set('authorization', `Bearer ${apiKey}`);
      return send(signed);
    },
    signIn: noSession,
    signOut: noSession,
    isSignedIn: async () => false,
  };
}
