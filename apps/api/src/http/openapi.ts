import { createHash } from 'node:crypto';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Type } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { Config } from '../config/config.ts';
import { type ProblemCode, problems } from './errors.ts';
import { closed, oneOf } from './schema.ts';

// The OpenAPI document: made from the routes, so that it says what they do. What holds for all of them (how to sign in, which
// errors can come) is added here; what a route alone can answer stands in its config.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The errors that this route can answer besides those that follow from what it is. */
    problems?: ProblemCode[];
    /** Its errors carry OAuth 2's `error` and `error_description` as well. */
    oauth?: boolean;
  }
}

/** Swagger UI sets styles in its markup; scripts and everything else are held to our own files. Nothing is upgraded to https: without TLS, as on
 * a developer's network, the page would stay empty. */
const docsPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

type JsonObject = Record<string, unknown>;

const problemProperties = {
  type: Type.String({ description: '`urn:quoin:problem:` and the code.' }),
  title: Type.String({ description: 'What the code means, the same every time.' }),
  status: Type.Integer({ description: 'The HTTP status.' }),
  detail: Type.String({ description: 'What it is about this time, for a person.' }),
  code: oneOf(Object.keys(problems), { description: 'What a program goes by.' }),
  instance: Type.String({ description: 'The path of the request.' }),
  request_id: Type.String({ description: 'The X-Request-Id of the answer: what to look for in the log.' }),
};
const errors = Type.Array(
  closed(
    {
      in: oneOf(['body', 'query', 'path', 'headers']),
      pointer: Type.String({ description: 'A JSON pointer (RFC 6901) into that part.', examples: ['/email'] }),
      message: Type.String({ examples: ['must be an email address'] }),
    },
    { title: 'InputError' },
  ),
  { description: 'Every fault of the input.' },
);
const Problem = closed(problemProperties, { title: 'Problem', description: 'An error (RFC 9457).' });
const ValidationProblem = closed(
  { ...problemProperties, errors },
  { title: 'ValidationProblem', description: 'An error (RFC 9457) of the input.' },
);
const oauthProperties = {
  error: Type.String({ description: "OAuth 2's code for it.", examples: ['invalid_grant'] }),
  error_description: Type.String({ description: 'As `detail`.' }),
};
const OAuthProblem = closed(
  { ...problemProperties, ...oauthProperties },
  { title: 'OAuthProblem', description: 'An error (RFC 9457) that OAuth 2 clients understand (RFC 6749, 5.2).' },
);
const OAuthValidationProblem = closed(
  { ...problemProperties, errors, ...oauthProperties },
  {
    title: 'OAuthValidationProblem',
    description: 'An error (RFC 9457) of the input that OAuth 2 clients understand (RFC 6749, 5.2).',
  },
);

export async function openApi(app: FastifyInstance, { apiPrefix, hasDocs }: Pick<Config, 'apiPrefix' | 'hasDocs'>) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Quoin',
        version: '1',
        summary: 'Accounts, sessions, preferences, tasks and documents with search.',
        description:
          'Errors are `application/problem+json` (RFC 9457) with a stable `code`. Unknown fields are refused. Times are in UTC.',
        license: { name: 'MIT', identifier: 'MIT' } as { name: string },
      },
      servers: [{ url: '/', description: 'This server' }],
      security: [{ password: [] }, { bearer: [] }],
      tags: [
        { name: 'auth', description: 'Signing in and out.' },
        { name: 'users', description: 'Your account; for admins, all of them.' },
        { name: 'preferences', description: 'How you want the product to look and behave.' },
        { name: 'tasks', description: 'What there is to do.' },
        { name: 'documents', description: 'What was written down, found by words and by meaning.' },
        { name: 'audit-events', description: 'What happened to accounts, and who did it.' },
        // Above this line `npm run new -- resource` adds its own.
        { name: 'operations', description: 'For who runs this.' },
      ],
      components: {
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'Sign in here with an email or username; leave the client fields empty.',
            flows: {
              password: { tokenUrl: `${apiPrefix}/auth/login`, refreshUrl: `${apiPrefix}/auth/refresh`, scopes: {} },
            },
          },
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'The `access_token` of `POST /auth/login`.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => ({ schema: withProblems(schema, route), url }),
    transformObject: (document) =>
      ('openapiObject' in document
        ? withComponents(document.openapiObject as JsonObject)
        : document.swaggerObject) as never,
  });

  if (hasDocs) await app.register(documentation);
}

/** The document and its pages: compressed, and with an ETag. */
async function documentation(app: FastifyInstance) {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, public: true, cacheable: true };
  });

  // Files have an ETag already; what is rendered gets one here.
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || reply.statusCode !== 200) return payload;
    const etag = `W/"${createHash('sha256').update(payload).digest('base64url')}"`;
    reply.headers({ etag, 'cache-control': 'no-cache' });
    if (!request.headers['if-none-match']?.includes(etag)) return payload;
    reply.code(304);
    return '';
  });

  const { default: compress } = await import('@fastify/compress');
  // The lowest level: the largest script takes 15 ms instead of 50, and anybody may ask for it.
  await app.register(compress, { encodings: ['gzip', 'identity'], threshold: 0, zlibOptions: { level: 1 } });
  let openapi: string | undefined;
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    openapi ??= JSON.stringify(app.swagger());
    return reply.type('application/json; charset=utf-8').send(openapi);
  });

  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: docsPolicy,
    uiConfig: {
      layout: 'BaseLayout',
      // It would keep the password of the form in the browser's storage.
      persistAuthorization: false,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      deepLinking: true,
    },
    theme: { title: 'Quoin' },
  });
}

function withProblems(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const { config = {} } = route;
  if (!schema || schema.hide) return schema;
  const isPublic = Boolean(config.public);
  const isPrivate = config.public !== true;
  const codes: ProblemCode[] = [
    ...(schema.body ? (['malformed_json', 'payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(isPrivate ? (['missing_token', 'invalid_token', 'expired_token'] as const) : []),
    ...(config.admin ? (['forbidden'] as const) : []),
    ...(schema.body || schema.params || schema.querystring ? (['validation_failed'] as const) : []),
    ...(isPrivate || config.throttle ? (['rate_limited'] as const) : []),
    ...(config.problems ?? []),
    'malformed_request',
    'internal_error',
    'database_unavailable',
    ...(config.evenWhenOverloaded ? [] : (['overloaded'] as const)),
  ];
  const byStatus = Object.groupBy(new Set(codes), (code) => problems[code].status);
  const answers = Object.entries(byStatus).map(([status, some = []]) => [
    status,
    problemAnswer(Number(status), some, config.oauth === true),
  ]);
  return {
    ...schema,
    ...(isPublic && { security: isPrivate ? [{}, { password: [] }, { bearer: [] }] : [] }),
    response: { ...withExamples(schema.response as JsonObject | undefined, route), ...Object.fromEntries(answers) },
  };
}

function problemAnswer(status: number, codes: ProblemCode[], isOAuth: boolean) {
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

function exampleOf(code: ProblemCode, isOAuth: boolean) {
  const { status, title } = problems[code];
  return {
    type: `urn:quoin:problem:${code}`,
    title,
    status,
    detail: `${title}.`,
    code,
    instance: '/path/of/the/request',
    request_id: '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4',
    ...(status === 422 && { errors: [{ in: 'body', pointer: '/email', message: 'must be an email address' }] }),
    ...(isOAuth && { error: 'invalid_request', error_description: `${title}.` }),
  };
}

function headersOf(status: number): JsonObject {
  const text = (description: string) => ({ type: 'string', description });
  if (status === 401) return { 'WWW-Authenticate': text('`Bearer`.') };
  if (status === 429 || status === 503) return { 'Retry-After': text('Seconds until it is worth trying again.') };
  return {};
}

/** The responses of a route without its errors: with an example, and with `Location` if something was created. */
function withExamples(response: JsonObject | undefined, { method, url, schema }: RouteOptions): JsonObject {
  // A route that does not say what it sends is documented as sending anything.
  const responses = response ?? { 200: { content: { '*/*': { schema: {} } } } };
  const { produces } = (schema ?? {}) as { produces?: readonly string[] };
  const entries = Object.entries(responses).map(([status, value]) => {
    const body = value as JsonObject;
    if (body.type === 'null') return [status, body];
    const description = body.description ?? (status === '201' ? 'Created.' : 'OK.');
    // Bytes, or several types: the route says which.
    if (body.content) return [status, { ...body, description }];
    const location = { type: 'string', description: 'The path of what was created.' };
    const types = produces ?? ['application/json'];
    const content = { schema: body, examples: { example: { value: exampleOfRoute(body, `${method} ${url}`) } } };
    return [
      status,
      {
        description,
        ...(status === '201' && { headers: { Location: location } }),
        content: Object.fromEntries(types.map((type) => [type, content])),
      },
    ];
  });
  return Object.fromEntries(entries);
}

function exampleOfRoute(schema: JsonObject, route: string): unknown {
  try {
    return exampleFrom(schema);
  } catch (error) {
    throw new Error(`the response schema of ${route}: ${(error as Error).message}`);
  }
}

/** An example of a schema, from those of its properties. */
function exampleFrom({ examples, properties, items, const: constant, type }: JsonObject): unknown {
  if (Array.isArray(examples)) return examples[0];
  if (constant !== undefined) return constant;
  if (properties)
    return Object.fromEntries(
      Object.entries(properties as JsonObject).map(([name, property]) => [name, exampleFrom(property as JsonObject)]),
    );
  if (items) return [exampleFrom(items as JsonObject)];
  throw new Error(`a property of type ${type} has no example`);
}

/**
 * Moves every schema with a title to components/schemas, under that title, and refers to it from where it stood.
 *
 * @throws Error when two schemas have one title
 */
function withComponents(document: JsonObject): JsonObject {
  const schemas: JsonObject = {};
  const place = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(place);
    if (typeof value !== 'object' || value === null) return value;
    const placed = Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, key === 'examples' ? child : place(child)]),
    );
    // Where it is a whole body, its examples stand beside it already.
    const { title, examples: _, ...schema } = placed as { title?: unknown; type?: unknown; examples?: unknown };
    if (typeof title !== 'string' || !('type' in schema)) return placed;
    if (schemas[title] && JSON.stringify(schemas[title]) !== JSON.stringify(schema))
      throw new Error(`two schemas are called ${title}`);
    schemas[title] = schema;
    return { $ref: `#/components/schemas/${title}` };
  };
  const { components, ...rest } = document;
  const placed = place(rest) as JsonObject;
  return { ...placed, components: { ...(components as JsonObject), schemas } };
}
