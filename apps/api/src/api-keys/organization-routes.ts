import { type Static, Type } from '@fastify/type-provider-typebox';
import { accountBodyBytesMax } from '../http/body.ts';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import { type App, OrganizationParams } from '../http/schema.ts';
import { ApiKeyList, CreatedApiKey, NewApiKey, OrganizationApiKeyParams } from './schemas.ts';
import type { ApiKeyService } from './service.ts';

const tags = ['api-keys'];
const collection = '/organizations/:organization_id/api-keys';

export function organizationApiKeyRoutes(app: App, { apiKeys }: { apiKeys: ApiKeyService }): void {
  app.post(
    collection,
    {
      bodyLimit: accountBodyBytesMax,
      schema: {
        operationId: 'createOrganizationApiKey',
        tags,
        summary: 'Create an API key of an organization (its admins)',
        description:
          'For routes of this organization only. It acts as you, with your current role, and ends with your membership. The answer is the only one that contains the key: store it now.',
        params: OrganizationParams,
        body: NewApiKey,
        response: { 201: CreatedApiKey },
      },
      config: {
        organizationRole: 'admin',
        fresh: freshSeconds,
        hasSecretAnswer: true,
        location: ({ organization_id, id }: Static<typeof CreatedApiKey>) =>
          `/organizations/${organization_id}/api-keys/${id}`,
      },
    },
    async (request) => {
      const { scope, params, body } = request;
      return apiKeys.createForOrganization(scope, params.organization_id.toLowerCase(), body, clientOf(request));
    },
  );

  app.get(
    collection,
    {
      schema: {
        operationId: 'listOrganizationApiKeys',
        tags,
        summary: 'List the API keys of an organization (its admins)',
        description: 'Includes keys created by any member. Expired keys stay in the list for a month.',
        params: OrganizationParams,
        response: { 200: ApiKeyList },
      },
      config: { organizationRole: 'admin' },
    },
    async ({ params }) => apiKeys.listOfOrganization(params.organization_id.toLowerCase()),
  );

  app.delete(
    `${collection}/:api_key_id`,
    {
      schema: {
        operationId: 'revokeOrganizationApiKey',
        tags,
        summary: 'Revoke an API key of an organization (its admins)',
        description: 'It stops working with the next request.',
        params: OrganizationApiKeyParams,
        response: { 204: Type.Null({ description: 'Revoked.' }) },
      },
      config: { organizationRole: 'admin' },
    },
    async (request) => {
      const { scope, params } = request;
      const id = params.api_key_id.toLowerCase();
      await apiKeys.revokeOfOrganization(scope, params.organization_id.toLowerCase(), id, clientOf(request));
    },
  );
}
