import { type Static, Type } from '@fastify/type-provider-typebox';
import { accountBodyBytesMax } from '../http/body.ts';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import { type App, OwnerParams } from '../http/schema.ts';
import { organizationApiKeyRoutes } from './organization-routes.ts';
import { ApiKey, ApiKeyList, ApiKeyParams, CreatedApiKey, LeakedApiKey, NewApiKey } from './schemas.ts';
import type { ApiKeyService } from './service.ts';

const tags = ['api-keys'];
const collection = '/users/:user_id/api-keys';
const item = `${collection}/:api_key_id`;

export function apiKeyRoutes(app: App, services: { apiKeys: ApiKeyService }): void {
  collectionRoutes(app, services);
  itemRoutes(app, services);
  leakRoute(app, services);
  organizationApiKeyRoutes(app, services);
}

function collectionRoutes(app: App, { apiKeys }: { apiKeys: ApiKeyService }): void {
  app.post(
    collection,
    {
      bodyLimit: accountBodyBytesMax,
      schema: {
        operationId: 'createApiKey',
        tags,
        summary: 'Create an API key',
        description:
          'The answer is the only one that contains the key: store it now. The owner of the account gets a mail. A key acts as its account, within its scopes, and can never create keys, sessions or second factors.',
        params: OwnerParams,
        body: NewApiKey,
        response: { 201: CreatedApiKey },
      },
      config: {
        fresh: freshSeconds,
        hasSecretAnswer: true,
        problems: ['forbidden', 'not_found'],
        location: ({ user_id, id }: Static<typeof CreatedApiKey>) => `/users/${user_id}/api-keys/${id}`,
      },
    },
    async (request) => apiKeys.create(request.scope, request.params.user_id, request.body, clientOf(request)),
  );

  app.get(
    collection,
    {
      schema: {
        operationId: 'listApiKeys',
        tags,
        summary: 'List API keys',
        description: 'Expired keys stay in the list for a month.',
        params: OwnerParams,
        response: { 200: ApiKeyList },
      },
      config: { problems: ['forbidden'] },
    },
    async ({ scope, params }) => apiKeys.list(scope, params.user_id),
  );
}

function itemRoutes(app: App, { apiKeys }: { apiKeys: ApiKeyService }): void {
  app.get(
    item,
    {
      schema: {
        operationId: 'getApiKey',
        tags,
        summary: 'Get an API key',
        description: 'Without the key itself, which the server does not store.',
        params: ApiKeyParams,
        response: { 200: ApiKey },
      },
      config: { problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params }) => apiKeys.get(scope, params.user_id, params.api_key_id.toLowerCase()),
  );

  app.delete(
    item,
    {
      schema: {
        operationId: 'revokeApiKey',
        tags,
        summary: 'Revoke an API key',
        description: 'It stops working with the next request.',
        params: ApiKeyParams,
        response: { 204: Type.Null({ description: 'Revoked.' }) },
      },
      config: { problems: ['forbidden', 'not_found'] },
    },
    async (request) => {
      const { user_id, api_key_id } = request.params;
      await apiKeys.revoke(request.scope, user_id, api_key_id.toLowerCase(), clientOf(request));
    },
  );
}

function leakRoute(app: App, { apiKeys }: { apiKeys: ApiKeyService }): void {
  app.post(
    '/auth/api-keys/revoke',
    {
      schema: {
        operationId: 'revokeLeakedApiKey',
        tags,
        summary: 'Revoke an API key that was leaked',
        description:
          'For anybody who finds a key, such as a secret scanner. The owner gets a mail. The answer is the same for every text.',
        body: LeakedApiKey,
        response: { 204: Type.Null({ description: 'If this was a key, it no longer works.' }) },
      },
      config: { public: true, throttle: { name: 'api key revocation', address: { burst: 100, perMinute: 30 } } },
    },
    async (request) => {
      await apiKeys.revokeLeaked(request.body.key, clientOf(request));
    },
  );
}
