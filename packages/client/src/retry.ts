import { ProblemError, retryAfterSeconds } from './problem-error.ts';

const triesMax = 3;
/** Who is asked to come back later than this is told so at once. */
const waitSecondsMax = 30;
/** All who were turned away together do not come back together. */
const spread = 0.25;

/** What may be sent twice and has happened once (RFC 9110, 9.2.2). */
const isIdempotent = ({ method }: Request) => ['GET', 'HEAD', 'PUT', 'DELETE'].includes(method);

/** What a server says that has not begun with the request. */
const notBegun = ['overloaded', 'shutting_down'];

export type Fetch = (request: Request) => Promise<Response>;

/**
 * Sends a request, and again when the answer is 429 or 503 and says after how long (`Retry-After`): at most three times in all. A 503 in the
 * middle of a write leaves open whether it took place, so a POST or PATCH is sent again only where the server says that it was not begun.
 *
 * @param isRepeatable sends it again whatever its method
 * @throws what `fetch` throws, and the reason of the request's signal, also while it waits
 */
export function retrying(fetch: Fetch) {
  return async (request: Request, { isRepeatable = isIdempotent(request) } = {}): Promise<Response> => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(request.clone());
      const seconds = retryAfterSeconds(response);
      if (tries === triesMax || seconds === undefined || seconds > waitSecondsMax) return response;
      const isWorthwhile =
        response.status === 429 ||
        (response.status === 503 &&
          (isRepeatable || notBegun.includes((await ProblemError.from(response.clone())).code)));
      if (!isWorthwhile) return response;
      await response.body?.cancel();
      await pause(seconds * (1 + Math.random() * spread), request.signal);
    }
  };
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return abortable(new Promise((resolve) => setTimeout(resolve, seconds * 1000)), signal);
}

/** As the promise, or rejects with the signal's reason as soon as that is aborted; what the promise waits for goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
