import { ProblemError, retryAfterSeconds } from './problem-error.ts';
import { pathOf, uniqueId } from './runtime.ts';

const triesMax = 3;
/** Longest `Retry-After` that the client waits for. */
const waitSecondsMax = 30;
/** Random part of the wait, so that clients do not all retry together. */
const spread = 0.25;

/** Seconds to wait after the first and the second attempt, if there was no response. */
const noResponseWaitSeconds = [0.5, 1.5];

/** Idempotent methods (RFC 9110, 9.2.2), and requests that the server recognizes when they come again. */
const isIdempotent = ({ method, headers }: Request) =>
  ['GET', 'HEAD', 'PUT', 'DELETE'].includes(method) || headers.has('idempotency-key');

/** Routes about the session have no Idempotency-Key. */
const aboutSession = /\/auth\//;
/** Their response is a secret that the server does not keep, so it cannot repeat the response. */
const withSecretResponse = /\/(totp|totp\/confirm|recovery-codes|passkeys\/options|api-keys|identities\/[^/]+\/start)$/;

/** Adds an Idempotency-Key to a change, so that it can be repeated if its response is lost. */
export function withIdempotencyKey(request: Request): Request {
  const isChange = ['POST', 'PATCH', 'DELETE'].includes(request.method);
  const pathname = pathOf(request.url);
  const hasNoKey = aboutSession.test(pathname) || (request.method === 'POST' && withSecretResponse.test(pathname));
  if (!isChange || hasNoKey || request.headers.has('idempotency-key')) return request;
  const keyed = new Request(request);
  keyed.headers.set('idempotency-key', uniqueId());
  return keyed;
}

/** Codes of a server that did not begin the request. */
const notBegun = ['overloaded', 'shutting_down'];

export type Fetch = (request: Request) => Promise<Response>;

/**
 * Sends a request, and retries a 429 or 503 with `Retry-After`, and a request without a response: at most three attempts. After a 503 or a broken connection
 * in the middle of a write, the outcome is unknown, so a POST or PATCH without an Idempotency-Key is repeated only if the server says that it did not begin.
 *
 * @param isRepeatable repeats it with any method
 * @throws the error of `fetch`, or the reason of the request's signal, also during a wait
 */
export function retrying(fetch: Fetch) {
  return async (request: Request, { isRepeatable = isIdempotent(request) } = {}): Promise<Response> => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(request.clone()).catch(async (error) => {
        if (request.signal.aborted || !isRepeatable || tries === triesMax) throw error;
        await pause((noResponseWaitSeconds[tries - 1] ?? 0) * (1 + Math.random() * spread), request.signal);
      });
      if (!response) continue;
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

/** Settles as the promise does, or rejects with the signal's reason when it is aborted. The work behind the promise continues. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
