import type { components } from './openapi.d.ts';

type Problem = components['schemas']['Problem'];
type InputError = components['schemas']['InputError'];

/** What a program goes by; `not_a_problem` where the answer was no problem document, as from a proxy on the way. */
export type ProblemCode = Problem['code'] | 'not_a_problem';

/** An answer that says no: a problem document (RFC 9457), or anything else that is no success. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  /** The HTTP status. */
  readonly status: number;
  readonly code: ProblemCode;
  /** What the code means, the same every time. */
  readonly title: string;
  /** For `validation_failed`: what was wrong with which part of the request. Else empty. */
  readonly errors: readonly InputError[];
  /** What to look for in the server's log. */
  readonly requestId: string | undefined;
  /** After how many seconds the server would like to be asked again, where it says so. */
  readonly retryAfterSeconds: number | undefined;
  readonly response: Response;

  /** @param body what the answer said, parsed */
  constructor(response: Response, body: unknown) {
    const problem = isProblem(body) ? body : undefined;
    super(problem?.detail ?? `the server answered ${response.status} ${response.statusText}`.trim());
    this.status = response.status;
    this.code = problem?.code ?? 'not_a_problem';
    this.title = problem?.title ?? response.statusText;
    this.errors = problem?.errors ?? [];
    this.requestId = problem?.request_id ?? response.headers.get('x-request-id') ?? undefined;
    this.retryAfterSeconds = retryAfterSeconds(response);
    this.response = response;
  }

  /** Reads the answer to its end. */
  static async from(response: Response): Promise<ProblemError> {
    const body = await response.text();
    return new ProblemError(response, parsed(body));
  }
}

function isProblem(body: unknown): body is Problem & { errors?: InputError[] } {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What `Retry-After` says: seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterSeconds({ headers }: Response): number | undefined {
  const text = headers.get('retry-after')?.trim();
  if (!text) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
