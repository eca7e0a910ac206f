import { Type } from '@fastify/type-provider-typebox';
import type { FastifyContextConfig, FastifySchema, RouteOptions } from 'fastify';
import { type ProblemCode, problems } from './errors.ts';
import { oauthStatusOf } from './oauth-errors.ts';
import { oauthAnswer, problemAnswer } from './openapi-problems.ts';

// What the OpenAPI document says of each route besides its schema: examples and errors.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Errors of this route that do not follow from its schema and the rest of its config. */
    problems?: ProblemCode[];
    /** Error responses also carry `error` and `error_description` of OAuth 2. With `token`, they have the form and the status of its token endpoint. */
    oauth?: boolean | 'token';
  }
}

type JsonObject = Record<string, unknown>;

/** Adds error responses to a route's schema: those that follow from the route, and those that its config lists. */
export function withProblems(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const { config = {} } = route;
  if (!schema || schema.hide) return schema;
  const isPrivate = config.public !== true;
  const isOfOrganization = route.url.includes('/:organization_id');
  const codes: ProblemCode[] = [
    ...(schema.body ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(schema.body && config.oauth !== 'token' ? (['malformed_json'] as const) : []),
    ...(isPrivate ? (['missing_token', 'invalid_token', 'expired_token'] as const) : []),
    ...(isPrivate && route.method !== 'GET' ? (['csrf_failed'] as const) : []),
    ...(isPrivate ? (['insufficient_scope'] as const) : []),
    ...(config.fresh ? (['step_up_required'] as const) : []),
    ...(config.admin || config.organizationRole ? (['forbidden'] as const) : []),
    ...(isOfOrganization ? (['not_found'] as const) : []),
    ...(schema.body || schema.params || schema.querystring || config.isIdempotent
      ? (['validation_failed'] as const)
      : []),
    ...(config.isIdempotent ? (['idempotency_conflict'] as const) : []),
    ...(config.isVersioned && route.method !== 'GET' ? (['precondition_failed'] as const) : []),
    ...(isPrivate || config.throttle ? (['rate_limited'] as const) : []),
    ...(config.problems ?? []),
    'malformed_request',
    'internal_error',
    'database_unavailable',
    ...(config.evenWhenOverloaded ? [] : (['overloaded'] as const)),
  ];
  const statusOf = (code: ProblemCode) => (config.oauth === 'token' ? oauthStatusOf(code) : problems[code].status);
  const byStatus = Object.groupBy(new Set(codes), statusOf);
  const answers = Object.entries(byStatus).map(([status, some = []]) => [
    status,
    config.oauth === 'token'
      ? oauthAnswer(Number(status), some)
      : problemAnswer(Number(status), some, config.oauth === true),
  ]);
  return {
    ...schema,
    ...oneMediaType(schema),
    security: securityOf(config),
    ...requestHeaders(route),
    response: {
      ...withExamples(schema.response as JsonObject | undefined, route),
      ...(config.isVersioned &&
        route.method === 'GET' && {
          304: Type.Null({ description: 'Not modified.', headers: responseHeaders('304', config) }),
        }),
      ...Object.fromEntries(answers),
    },
  };
}

/** Generators of clients need one content type per operation. */
function oneMediaType({ body }: FastifySchema) {
  const [first] = Object.entries((body as { content?: object } | undefined)?.content ?? {});
  return first ? { body: { content: Object.fromEntries([first]) } } : {};
}

/** What a request can be authenticated with. API keys need a scope. */
function securityOf({ public: isPublic, requiredScope }: FastifyContextConfig): Record<string, string[]>[] {
  if (isPublic === true) return [];
  return [
    ...(isPublic ? [{}] : []),
    { password: [] },
    { bearer: [] },
    { cookie: [] },
    ...(requiredScope ? [{ apiKey: [requiredScope] }] : []),
  ];
}

function requestHeaders({ method, config = {} }: RouteOptions) {
  const precondition = method === 'GET' ? 'If-None-Match' : 'If-Match';
  const properties = {
    ...(config.isIdempotent && {
      'Idempotency-Key': Type.String({
        minLength: 1,
        maxLength: 255,
        description:
          'Any text that is unique to this change, such as a UUID. A repeated request with the same key has no second effect and gets the first answer, for 24 hours.',
      }),
    }),
    ...(config.isVersioned && {
      [precondition]: Type.String({
        description:
          method === 'GET' ? '`ETag` of the version that you have.' : '`ETag` of the version that the change is for.',
      }),
    }),
  };
  return Object.keys(properties).length === 0 ? {} : { headers: Type.Partial(Type.Object(properties)) };
}

/** Returns the responses of a route without its errors, with an example and header fields each. */
function withExamples(
  response: JsonObject | undefined,
  { method, url, schema, config = {} }: RouteOptions,
): JsonObject {
  // Without a response schema, the document allows any content type.
  const responses = response ?? { 200: { content: { '*/*': { schema: {} } } } };
  const { produces } = (schema ?? {}) as { produces?: readonly string[] };
  const entries = Object.entries(responses).map(([status, value]) => {
    const body = value as JsonObject;
    const headers = responseHeaders(status, config);
    const withHeaders = Object.keys(headers).length > 0 && { headers };
    if (body.type === 'null') return [status, { ...body, ...withHeaders }];
    const description = body.description ?? (status === '201' ? 'Created.' : 'OK.');
    // The route declares its own content types.
    if (body.content) return [status, { ...body, description }];
    const types = produces ?? ['application/json'];
    const content = { schema: body, examples: { example: { value: exampleOfRoute(body, `${method} ${url}`) } } };
    return [
      status,
      {
        description,
        ...withHeaders,
        content: Object.fromEntries(types.map((type) => [type, content])),
      },
    ];
  });
  return Object.fromEntries(entries);
}

function responseHeaders(status: string, { isVersioned, isIdempotent, location }: FastifyContextConfig): JsonObject {
  const text = (description: string) => ({ type: 'string', description });
  return {
    ...(status === '201' && { Location: text('Path of the new resource.') }),
    ...((isVersioned || (status === '201' && location)) &&
      status !== '204' && { ETag: text('Version of the resource.') }),
    ...(isIdempotent && { 'Idempotent-Replayed': text('`true`: the first answer to this Idempotency-Key.') }),
  };
}

function exampleOfRoute(schema: JsonObject, route: string): unknown {
  try {
    return exampleFrom(schema);
  } catch (error) {
    throw new Error(`the response schema of ${route}: ${(error as Error).message}`);
  }
}

/** Builds an example from the examples of the properties. */
function exampleFrom({ examples, properties, items, const: constant, type }: JsonObject): unknown {
  if (Array.isArray(examples)) return examples[0];
  if (constant !== undefined) return constant;
  if (properties)
    return Object.fromEntries(
      Object.entries(properties as JsonObject).map(([name, property]) => [name, exampleFrom(property as JsonObject)]),
    );
  if (items) return [exampleFrom(items as JsonObject)];
  throw new Error(`the property of type ${type} has no example`);
}
