import { browserStore, createClient, ProblemError } from '@quoin/client';
import { useCallback, useEffect, useState } from 'react';

let sessionEnded = () => {};

export const api = createClient({
  baseUrl: location.origin,
  store: browserStore(),
  onSessionEnd: () => sessionEnded(),
});

/** Whether somebody is signed in; undefined until that is known. `problem` is that of a sign-in with a provider from which the browser has just returned. */
export function useSession() {
  const [isSignedIn, setSignedIn] = useState<boolean>();
  const [problem, setProblem] = useState<Error>();
  const refresh = useCallback(async () => setSignedIn(await api.isSignedIn()), []);

  useEffect(() => {
    sessionEnded = () => setSignedIn(false);
    finishProviderSignIn().catch(setProblem).then(refresh);
  }, [refresh]);

  return { isSignedIn, problem, refresh };
}

/** React runs effects twice in development, and the code of a provider works once. */
let finishing: Promise<void> | undefined;
function finishProviderSignIn(): Promise<void> {
  // The code must not stay in the address bar.
  finishing ??= api.providers
    .finish()
    .then(() => {})
    .finally(() => history.replaceState(null, '', location.pathname));
  return finishing;
}

/** Resolves to the error with which the server refused the work. Resolves to undefined if the work succeeded. */
export async function problemOf(work: Promise<unknown>): Promise<ProblemError | undefined> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}
