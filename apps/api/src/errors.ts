// The one table of what can go wrong, and the error that carries a line of it. docs/errors.md is checked against it.

export const problems = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  malformed_request: { status: 400, title: 'The request is malformed' },
  invalid_credentials: { status: 401, title: 'The name or the password is wrong' },
  missing_token: { status: 401, title: 'An access token is needed' },
  invalid_token: { status: 401, title: 'The token is not valid' },
  expired_token: { status: 401, title: 'The access token has expired' },
  forbidden: { status: 403, title: 'Not allowed' },
  account_inactive: { status: 403, title: 'The account is deactivated' },
  wrong_password: { status: 403, title: 'The current password is wrong' },
  not_found: { status: 404, title: 'There is no such thing here' },
  method_not_allowed: { status: 405, title: 'This path does not know this method' },
  email_taken: { status: 409, title: 'Another account has this email' },
  username_taken: { status: 409, title: 'Another account has this username' },
  cannot_delete_self: { status: 409, title: 'Admins cannot delete themselves here' },
  last_admin: { status: 409, title: 'There would be no active admin left' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'This content type is not understood here' },
  validation_failed: { status: 422, title: 'The request is not valid' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  database_unavailable: { status: 503, title: 'The database cannot be reached' },
  overloaded: { status: 503, title: 'Too busy to do this now' },
  embedding_unavailable: { status: 503, title: 'The service that embeds texts cannot be reached' },
  shutting_down: { status: 503, title: 'This server is shutting down' },
} as const;

export type ProblemCode = keyof typeof problems;

/** One fault of the input. */
export interface InputError {
  in: 'body' | 'query' | 'path' | 'headers';
  /** A JSON pointer (RFC 6901) into that part. */
  pointer: string;
  message: string;
}

interface ProblemOptions {
  errors?: InputError[];
  headers?: Record<string, string>;
  /** What really happened: for the log, never for the caller. */
  cause?: unknown;
}

/** An error with an answer: what the caller may know is `detail`, what only the log may know is `cause`. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: InputError[] | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ProblemCode, detail: string, { errors, headers, cause }: ProblemOptions = {}) {
    super(detail, { cause });
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.headers = { ...standardHeaders(problems[code].status), ...headers };
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/** What may not be seen does not exist either: the same words for both, so that neither can be told from the other. */
export const notFound = () => new Problem('not_found', 'There is no such thing, or it is not yours to see.');

/** The row, where there is one. @throws Problem `not_found` */
export function found<T>(row: T | undefined): T {
  if (row === undefined) throw notFound();
  return row;
}

export const forbidden = () => new Problem('forbidden', 'This account may not do that.');

/** A fault that only the rules know of, not the schema. */
export const invalid = (pointer: string, message: string) =>
  new Problem('validation_failed', `body ${pointer} ${message}`, { errors: [{ in: 'body', pointer, message }] });

const retryAfterSeconds = 2;

function standardHeaders(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  if (status === 503) return { 'retry-after': String(retryAfterSeconds) };
  return {};
}
