import type { components } from './openapi.d.ts';

type Problem = components['schemas']['Problem'];
type InputError = components['schemas']['InputError'];

/** Stable code for programs. `not_a_problem` if the response is no problem document, for example from a proxy. */
export type ProblemCode = Problem['code'] | 'not_a_problem';

/** A response without success: a problem document (RFC 9457), or another body. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  /** The HTTP status. */
  readonly status: number;
  readonly code: ProblemCode;
  /** Meaning of the code. */
  readonly title: string;
  /** For `validation_failed`: the errors and their parts of the request. Otherwise empty. */
  readonly errors: readonly InputError[];
  /** For `mfa_required` at sign-in: the token for `completeMfa`. */
  readonly mfaToken: string | undefined;
  /** For `mfa_required`: the second factors of the account. Otherwise empty. */
  readonly methods: readonly string[];
  /** For `invalid_credentials`: the passkey belongs to no account. */
  readonly isUnknownCredential: boolean;
  /** Id to search for in the server's log. */
  readonly requestId: string | undefined;
  /** `Retry-After` in seconds, if the response has it. */
  readonly retryAfterSeconds: number | undefined;
  readonly response: Response;

  /** @param body the parsed body of the response */
  constructor(response: Response, body: unknown) {
    const problem = isProblem(body) ? body : undefined;
    super(problem?.detail ?? `the server answered ${response.status} ${response.statusText}`.trim());
    this.status = response.status;
    this.code = problem?.code ?? 'not_a_problem';
    this.title = problem?.title ?? response.statusText;
    this.errors = problem?.errors ?? [];
    this.mfaToken = problem?.mfa_token;
    this.isUnknownCredential = problem?.unknown_credential ?? false;
    this.methods = problem?.methods ?? [];
    this.requestId = problem?.request_id ?? response.headers.get('x-request-id') ?? undefined;
    this.retryAfterSeconds = retryAfterSeconds(response);
    this.response = response;
  }

  /** Reads the whole response. */
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

/** Parses `Retry-After`: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterSeconds({ headers }: Response): number | undefined {
  const text = headers.get('retry-after')?.trim();
  if (!text) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
