import { browserStore, createClient, ProblemError } from '@quoin/client';
import { useCallback, useEffect, useState } from 'react';

let sessionEnded = () => {};

export const api = createClient({
  baseUrl: location.origin,
  store: browserStore(),
  onSessionEnd: () => sessionEnded(),
});

/** Whether somebody is signed in; undefined until that is known. Also finishes the sign-in of a browser that returns from a provider. */
export function useSession() {
  const [isSignedIn, setSignedIn] = useState<boolean>();
  const [error, setError] = useState('');
  const refresh = useCallback(async () => setSignedIn(await api.isSignedIn()), []);

  useEffect(() => {
    sessionEnded = () => setSignedIn(false);
    arrival()
      .catch((thrown) => setError(thrown.message))
      .then(refresh);
  }, [refresh]);

  return { isSignedIn, error, refresh };
}

/** React runs effects twice in development, and the code of a provider works once. */
let arriving: Promise<void> | undefined;
function arrival(): Promise<void> {
  arriving ??= api.providers.finish().then((outcome) => {
    if (outcome) history.replaceState(null, '', location.pathname);
  });
  return arriving;
}

/** Resolves to what to tell the user of an error; undefined if there is none. */
export async function problemOf(work: Promise<unknown>): Promise<ProblemError | undefined> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}
