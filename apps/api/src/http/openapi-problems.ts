import { Type } from '@fastify/type-provider-typebox';
import { type ProblemCode, problems } from './errors.ts';
import { oauthNameOf, oauthProperties } from './oauth-errors.ts';
import { closed, oneOf } from './schema.ts';

// The error responses of the OpenAPI document.

const problemProperties = {
  type: Type.String({ description: '`urn:quoin:problem:` and the code.' }),
  title: Type.String({ description: 'Meaning of the code.' }),
  status: Type.Integer({ description: 'HTTP status.' }),
  detail: Type.String({ description: 'Explanation of this occurrence, for people.' }),
  code: oneOf(Object.keys(problems), { description: 'Stable code, for programs.' }),
  instance: Type.String({ description: 'Path of the request.' }),
  request_id: Type.String({ description: '`X-Request-Id` of the response; search the log for it.' }),
  mfa_token: Type.Optional(
    Type.String({
      description: 'With `mfa_required` at sign-in: for `POST /auth/mfa`, within five minutes and five tries.',
    }),
  ),
  unknown_credential: Type.Optional(
    Type.Boolean({
      description: 'With `invalid_credentials` for a passkey: no account has it, so the device can forget it.',
    }),
  ),
  methods: Type.Optional(
    Type.Array(Type.String(), {
      description: 'With `mfa_required`: the second factors of the account: `totp`, `recovery_code`, `passkey`.',
    }),
  ),
};
const errors = Type.Array(
  closed(
    {
      in: oneOf(['body', 'query', 'path', 'headers']),
      pointer: Type.String({
        description: 'JSON pointer (RFC 6901) into that part of the request.',
        examples: ['/email'],
      }),
      message: Type.String({ examples: ['must be an email address'] }),
    },
    { title: 'InputError' },
  ),
  { description: 'All errors of the input, up to 50.' },
);
const Problem = closed(problemProperties, { title: 'Problem', description: 'An error (RFC 9457).' });
const ValidationProblem = closed(
  { ...problemProperties, errors },
  { title: 'ValidationProblem', description: 'An input error (RFC 9457).' },
);
const OAuthProblem = closed(
  { ...problemProperties, ...oauthProperties },
  { title: 'OAuthProblem', description: 'An error (RFC 9457) with the fields of OAuth 2 (RFC 6749, 5.2).' },
);
const OAuthValidationProblem = closed(
  { ...problemProperties, errors, ...oauthProperties },
  {
    title: 'OAuthValidationProblem',
    description: 'An input error (RFC 9457) with the fields of OAuth 2 (RFC 6749, 5.2).',
  },
);

/** Returns the response of a route for the errors of one status. */
export function problemAnswer(status: number, codes: ProblemCode[], isOAuth: boolean) {
  const schema =
    status === 422 ? (isOAuth ? OAuthValidationProblem : ValidationProblem) : isOAuth ? OAuthProblem : Problem;
  const examples = Object.fromEntries(
    codes.map((code) => [code, { summary: problems[code].title, value: exampleOf(code, isOAuth) }]),
  );
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(' '),
    headers: headersOf(status),
    content: { 'application/problem+json': { schema, examples } },
  };
}

const OAuthError = closed(
  {
    ...oauthProperties,
    code: problemProperties.code,
    request_id: problemProperties.request_id,
    mfa_token: problemProperties.mfa_token,
    methods: problemProperties.methods,
  },
  { title: 'OAuthError', description: 'An error of the token endpoint (RFC 6749, 5.2).' },
);

/** Same as `problemAnswer`, for the token endpoint. */
export function oauthAnswer(status: number, codes: ProblemCode[]) {
  const examples = Object.fromEntries(
    codes.map((code) => {
      const { title } = problems[code];
      const value = { error: oauthNameOf(code), error_description: `${title}.`, code, request_id: exampleRequestId };
      return [code, { summary: title, value }];
    }),
  );
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(' '),
    headers: headersOf(status),
    content: { 'application/json': { schema: OAuthError, examples } },
  };
}

const exampleRequestId = '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4';

function exampleOf(code: ProblemCode, isOAuth: boolean) {
  const { status, title } = problems[code];
  return {
    type: `urn:quoin:problem:${code}`,
    title,
    status,
    detail: `${title}.`,
    code,
    instance: '/path/of/the/request',
    request_id: exampleRequestId,
    ...(status === 422 && { errors: [{ in: 'body', pointer: '/email', message: 'must be an email address' }] }),
    ...(isOAuth && { error: oauthNameOf(code), error_description: `${title}.` }),
  };
}

function headersOf(status: number): Record<string, unknown> {
  const text = (description: string) => ({ type: 'string', description });
  if (status === 401) return { 'WWW-Authenticate': text('`Bearer`.') };
  if (status === 429 || status === 503) return { 'Retry-After': text('Seconds to wait before the next attempt.') };
  return {};
}
