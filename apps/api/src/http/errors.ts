import { randomInt } from 'node:crypto';
import { registeredProblems } from '../product/errors.ts';

// The one table of error codes, and the error that carries one of them. A test compares docs/errors.md with those of Quoin.

/** Those of Quoin. */
export const foundationProblems = {
  malformed_json: { status: 400, title: 'Malformed JSON' },
  malformed_request: { status: 400, title: 'Bad request' },
  invalid_credentials: { status: 401, title: 'Invalid credentials' },
  missing_token: { status: 401, title: 'Access token required' },
  invalid_token: { status: 401, title: 'Invalid token' },
  expired_token: { status: 401, title: 'Access token expired' },
  step_up_required: { status: 401, title: 'Recent authentication required' },
  forbidden: { status: 403, title: 'Forbidden' },
  account_inactive: { status: 403, title: 'Account deactivated' },
  wrong_password: { status: 403, title: 'Wrong password' },
  mfa_required: { status: 403, title: 'Second factor required' },
  insufficient_scope: { status: 403, title: 'API key not allowed here' },
  csrf_failed: { status: 403, title: 'Cross-site request refused' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'Request timeout' },
  email_taken: { status: 409, title: 'Email already in use' },
  username_taken: { status: 409, title: 'Username already in use' },
  cannot_delete_self: { status: 409, title: 'Admins cannot delete their own account here' },
  last_admin: { status: 409, title: 'The last active admin must stay' },
  last_owner: { status: 409, title: 'Organization needs an owner' },
  already_member: { status: 409, title: 'Already a member' },
  already_exists: { status: 409, title: 'Already exists' },
  in_use: { status: 409, title: 'Still in use' },
  last_sign_in_method: { status: 409, title: 'The last way to sign in must stay' },
  identity_taken: { status: 409, title: 'Account at the provider already linked' },
  job_conflict: { status: 409, title: 'Job cannot be changed now' },
  idempotency_conflict: { status: 409, title: 'Idempotency-Key used for another request' },
  precondition_failed: { status: 412, title: 'Precondition failed' },
  payload_too_large: { status: 413, title: 'Payload too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  expectation_failed: { status: 417, title: 'Expectation failed' },
  validation_failed: { status: 422, title: 'Validation failed' },
  query_too_expensive: { status: 422, title: 'Query too expensive' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'Request header fields too large' },
  internal_error: { status: 500, title: 'Internal server error' },
  database_unavailable: { status: 503, title: 'Database unavailable' },
  overloaded: { status: 503, title: 'Overloaded' },
  provider_unavailable: { status: 503, title: 'Sign-in provider unavailable' },
  embedding_unavailable: { status: 503, title: 'Embedding service unavailable' },
  shutting_down: { status: 503, title: 'Shutting down' },
} as const;

export const problems = { ...foundationProblems, ...registeredProblems };

export type ProblemCode = keyof typeof problems;

/** One error of the input. */
export interface InputError {
  in: 'body' | 'query' | 'path' | 'headers';
  /** A JSON pointer (RFC 6901) into that part. */
  pointer: string;
  message: string;
}

interface ProblemOptions {
  errors?: InputError[];
  headers?: Record<string, string>;
  /** More fields of the body. */
  fields?: Record<string, unknown>;
  /** The underlying error, for the log only. */
  cause?: unknown;
}

/** An error with its HTTP response: `detail` is for the caller, `cause` for the log only. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: InputError[] | undefined;
  readonly headers: Record<string, string>;
  readonly fields: Record<string, unknown>;

  constructor(code: ProblemCode, detail: string, { errors, headers, fields = {}, cause }: ProblemOptions = {}) {
    super(detail, { cause });
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.fields = fields;
    this.headers = { ...standardHeaders(problems[code].status), ...headers };
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/** One response for a missing row and for a row that the caller may not see, so that callers cannot distinguish them. */
export const notFound = (cause?: unknown) => new Problem('not_found', 'Not found.', { cause });

/** Returns the row if there is one. @throws Problem `not_found` */
export function found<T>(row: T | undefined): T {
  if (row === undefined) throw notFound();
  return row;
}

/** The same error for every invalid access token or cookie, without the reason. */
export const sessionEnded = (cause?: unknown) =>
  new Problem('invalid_token', 'The token is invalid, or its session has ended.', { cause });

export const forbidden = () => new Problem('forbidden', 'This account is not allowed to do this.');

/** Time after a proof in which it counts for sensitive changes. */
export const freshSeconds = 600;

/** The error of RFC 9470: the caller must authenticate again. */
export const stepUpRequired = (seconds = freshSeconds) =>
  new Problem('step_up_required', 'Authenticate again with POST /auth/step-up, or sign in again.', {
    headers: {
      'www-authenticate': `Bearer error="insufficient_user_authentication", error_description="Authenticate again", max_age="${seconds}"`,
    },
  });

/** An input error that the schema cannot express. */
export const invalid = (pointer: string, message: string) =>
  new Problem('validation_failed', ['body', pointer, message].filter(Boolean).join(' '), {
    errors: [{ in: 'body', pointer, message }],
  });

const retryAfterSecondsMin = 2;
const retryAfterSecondsMax = 8;

function standardHeaders(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  // Randomized, so that clients do not all retry in the same second after an outage.
  if (status === 503) return { 'retry-after': String(randomInt(retryAfterSecondsMin, retryAfterSecondsMax + 1)) };
  return {};
}
