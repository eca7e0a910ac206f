import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { registeredTags } from '../product/tags.ts';
import { docsPages } from './docs-page.ts';
import { withProblems } from './openapi-routes.ts';

// The OpenAPI document, generated from the routes.

type JsonObject = Record<string, unknown>;

interface Options {
  apiPrefix: string;
  hasDocs: boolean;
  /** Empty: clients use the origin from which they got the document. */
  publicUrl: string;
  port: number;
}

export async function openApi(app: FastifyInstance, { apiPrefix, hasDocs, publicUrl, port }: Options) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Quoin',
        version: '1',
        summary: 'Accounts, sessions, organizations, preferences, tasks and documents with search.',
        description:
          'Errors are `application/problem+json` (RFC 9457) with a stable `code`. Unknown fields are rejected. Times are in UTC.',
        license: { name: 'MIT', identifier: 'MIT' } as { name: string },
      },
      servers: [{ url: publicUrl || `http://localhost:${port}`, description: 'This server' }],
      security: [{ password: [] }, { bearer: [] }, { cookie: [] }],
      tags: [
        { name: 'auth', description: 'Registration, sign-in, tokens and sessions.' },
        {
          name: 'sign-in',
          description:
            'Passkeys, codes by mail, providers, and second factors. To try a second factor here: authorize, call `POST /users/me/totp`, add the secret to an authenticator app, and send its code to `POST /users/me/totp/confirm`. From then on `POST /auth/login` answers `mfa_required`: send its `mfa_token` and a code to `POST /auth/mfa`. To try a cookie: log out of Authorize, and send `"session": "cookie"` to `POST /auth/login`. Passkeys need a page of your own: docs/sign-in.md says how.',
        },
        {
          name: 'api-keys',
          description: 'Keys with which programs use the API. Each operation says which scope it needs.',
        },
        { name: 'users', description: 'Your account; for admins, all accounts.' },
        { name: 'organizations', description: 'Organizations, their members and invitations.' },
        { name: 'preferences', description: 'Your preferences.' },
        { name: 'tasks', description: 'To-do items.' },
        { name: 'documents', description: 'Texts with search by words and by meaning.' },
        { name: 'audit-events', description: 'The audit trail of accounts.' },
        { name: 'webhooks', description: 'Endpoints that events of your account are sent to.' },
        { name: 'jobs', description: 'The job queue, for admins.' },
        ...registeredTags,
        { name: 'operations', description: 'Health checks.' },
      ],
      components: {
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'Sign in with an email or username. Leave the client fields empty.',
            flows: {
              password: { tokenUrl: `${apiPrefix}/oauth/token`, refreshUrl: `${apiPrefix}/oauth/token`, scopes: {} },
            },
          },
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'The `access_token` of `POST /auth/login`.',
          },
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'quoin_k1_…',
            description:
              'An API key of `POST /users/me/api-keys`. Only operations that list a scope here accept API keys.',
          },
          cookie: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-quoin_session',
            description:
              'For browsers: sign in with `session: "cookie"`. Methods other than GET also need `Sec-Fetch-Site: same-origin`, or an `Origin` that is allowed.',
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

  if (hasDocs) await app.register(docsPages, { publicUrl });
}

/**
 * Moves every schema with a title to `components/schemas` and replaces it by a reference.
 *
 * @throws Error if two schemas have the same title
 */
function withComponents(document: JsonObject): JsonObject {
  const schemas: JsonObject = {};
  const place = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(place);
    if (typeof value !== 'object' || value === null) return value;
    const placed = Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, key === 'examples' ? child : place(child)]),
    );
    // The examples of a body stand beside its schema.
    const { title, examples: _, ...schema } = placed as { title?: unknown; type?: unknown; examples?: unknown };
    if (typeof title !== 'string' || !('type' in schema)) return placed;
    if (schemas[title] && JSON.stringify(schemas[title]) !== JSON.stringify(schema))
      throw new Error(`two schemas have the title ${title}`);
    schemas[title] = schema;
    return { $ref: `#/components/schemas/${title}` };
  };
  const { components, ...rest } = document;
  const placed = place(rest) as JsonObject;
  return { ...placed, components: { ...(components as JsonObject), schemas } };
}
