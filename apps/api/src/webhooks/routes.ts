import { type Static, Type } from '@fastify/type-provider-typebox';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import { type App, OwnerParams } from '../http/schema.ts';
import {
  CreatedWebhookEndpoint,
  NewWebhookEndpoint,
  WebhookEndpoint,
  WebhookEndpointChanges,
  WebhookEndpointList,
  WebhookEndpointParams,
  WebhookSecret,
} from './schemas.ts';
import type { Webhooks } from './service.ts';

const collection = '/users/:user_id/webhook-endpoints';
const item = `${collection}/:endpoint_id`;
const tags = ['webhooks'];

export function webhookRoutes(app: App, services: { webhooks: Webhooks }): void {
  collectionRoutes(app, services);
  itemRoutes(app, services);
  actionRoutes(app, services);
}

function collectionRoutes(app: App, { webhooks }: { webhooks: Webhooks }): void {
  app.get(
    collection,
    {
      schema: {
        operationId: 'listWebhookEndpoints',
        tags,
        summary: 'List webhook endpoints, newest first',
        description: 'Without their secrets.',
        params: OwnerParams,
        response: { 200: WebhookEndpointList },
      },
      config: { problems: ['forbidden'] },
    },
    async ({ scope, params }) => webhooks.list(scope, params.user_id),
  );

  app.post(
    collection,
    {
      schema: {
        operationId: 'createWebhookEndpoint',
        tags,
        summary: 'Create a webhook endpoint',
        description:
          'Events are posted to the URL, signed by Standard Webhooks v1 (https://www.standardwebhooks.com) with the secret, which is shown once. A message is tried eight times in two and a half days. Redirects are not followed.',
        params: OwnerParams,
        body: NewWebhookEndpoint,
        response: { 201: CreatedWebhookEndpoint },
      },
      config: {
        fresh: freshSeconds,
        hasSecretAnswer: true,
        problems: ['forbidden', 'not_found'],
        location: ({ user_id, id }: Static<typeof CreatedWebhookEndpoint>) =>
          `/users/${user_id}/webhook-endpoints/${id}`,
      },
    },
    async (request) => webhooks.create(request.scope, request.params.user_id, request.body, clientOf(request)),
  );
}

function itemRoutes(app: App, { webhooks }: { webhooks: Webhooks }): void {
  const problems = ['forbidden', 'not_found'] as const;
  app.get(
    item,
    {
      schema: {
        operationId: 'getWebhookEndpoint',
        tags,
        summary: 'Get a webhook endpoint',
        description: 'Without its secret.',
        params: WebhookEndpointParams,
        response: { 200: WebhookEndpoint },
      },
      config: { problems: [...problems] },
    },
    async ({ scope, params }) => webhooks.get(scope, params.user_id, params.endpoint_id),
  );

  app.patch(
    item,
    {
      schema: {
        operationId: 'updateWebhookEndpoint',
        tags,
        summary: 'Update a webhook endpoint',
        description: 'Changes the fields that are sent. Enabling an endpoint does not send what it missed.',
        params: WebhookEndpointParams,
        body: WebhookEndpointChanges,
        response: { 200: WebhookEndpoint },
      },
      config: { fresh: freshSeconds, problems: [...problems] },
    },
    async (request) => {
      const { user_id, endpoint_id } = request.params;
      return webhooks.update(request.scope, user_id, endpoint_id, request.body, clientOf(request));
    },
  );

  app.delete(
    item,
    {
      schema: {
        operationId: 'deleteWebhookEndpoint',
        tags,
        summary: 'Delete a webhook endpoint',
        description: 'Messages that wait are not sent any more.',
        params: WebhookEndpointParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { problems: [...problems] },
    },
    async (request) => {
      const { user_id, endpoint_id } = request.params;
      await webhooks.delete(request.scope, user_id, endpoint_id, clientOf(request));
    },
  );
}

function actionRoutes(app: App, { webhooks }: { webhooks: Webhooks }): void {
  app.post(
    `${item}/secret`,
    {
      schema: {
        operationId: 'rotateWebhookSecret',
        tags,
        summary: 'Replace the secret of a webhook endpoint',
        description: 'For a day, messages are signed with both secrets, so that you can replace it without a gap.',
        params: WebhookEndpointParams,
        response: { 201: WebhookSecret },
      },
      config: { fresh: freshSeconds, hasSecretAnswer: true, problems: ['forbidden', 'not_found'] },
    },
    async (request) => {
      const { user_id, endpoint_id } = request.params;
      return webhooks.rotateSecret(request.scope, user_id, endpoint_id, clientOf(request));
    },
  );

  app.post(
    `${item}/ping`,
    {
      schema: {
        operationId: 'pingWebhookEndpoint',
        tags,
        summary: 'Send a test event',
        description: 'Sends an event of the type `ping`.',
        params: WebhookEndpointParams,
        response: { 202: Type.Null({ description: 'The event will be sent.' }) },
      },
      config: {
        problems: ['forbidden', 'not_found'],
        throttle: {
          name: 'webhook pings',
          account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 10, perMinute: 2 } },
        },
      },
    },
    async ({ scope, params }) => {
      await webhooks.ping(scope, params.user_id, params.endpoint_id);
    },
  );
}
