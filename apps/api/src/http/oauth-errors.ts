import { Type } from '@fastify/type-provider-typebox';
import { type Problem, type ProblemCode, problems } from './errors.ts';

// Errors in the form of OAuth 2 (RFC 6749, 5.2), which its clients understand.

const names: Partial<Record<ProblemCode, string>> = {
  invalid_credentials: 'invalid_grant',
  account_inactive: 'invalid_grant',
  mfa_required: 'mfa_required',
  invalid_token: 'invalid_grant',
  rate_limited: 'temporarily_unavailable',
};

/** Returns `error` for a code. */
export function oauthNameOf(code: ProblemCode): string {
  const { status } = problems[code];
  const byStatus = status >= 503 ? 'temporarily_unavailable' : status >= 500 ? 'server_error' : 'invalid_request';
  return names[code] ?? byStatus;
}

/** Returns `error` and `error_description`. */
export function oauthError({ code, detail, errors }: Problem) {
  const isUnknownGrant = errors?.some(({ pointer, message }) => pointer === '/grant_type' && message !== 'is required');
  return { error: isUnknownGrant ? 'unsupported_grant_type' : oauthNameOf(code), error_description: detail };
}

/** The status at the token endpoint: 400 for a refused grant and for a wrong request. */
export function oauthStatusOf(code: ProblemCode): number {
  const { status } = problems[code];
  return status === 401 || status === 422 || code === 'account_inactive' ? 400 : status;
}

export const oauthProperties = {
  error: Type.String({ description: 'OAuth 2 error code (RFC 6749, 5.2).', examples: ['invalid_grant'] }),
  error_description: Type.String({ description: 'Explanation of this occurrence, for people.' }),
};
