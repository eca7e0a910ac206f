import { type Static, Type } from '@fastify/type-provider-typebox';
import { changesOf, closed, Id, nullable, OwnerId, Timestamp } from '../http/schema.ts';

const url = Type.String({
  minLength: 1,
  maxLength: 2_000,
  description: 'Where events are posted to: https, at a public address.',
  examples: ['https://hooks.example.com/quoin'],
});
const eventTypes = Type.Array(
  Type.String({ pattern: '^[a-z0-9_]+(\\.[a-z0-9_]+)*$', maxLength: 100, examples: ['invoice.paid'] }),
  { maxItems: 50, uniqueItems: true, description: 'The types of events that are sent. Empty: all.' },
);

export const NewWebhookEndpoint = closed(
  { url, event_types: Type.Optional(eventTypes) },
  {
    title: 'NewWebhookEndpoint',
    examples: [{ url: 'https://hooks.example.com/quoin', event_types: ['invoice.paid'] }],
  },
);
export type NewWebhookEndpoint = Static<typeof NewWebhookEndpoint>;

export const WebhookEndpointChanges = changesOf(
  {
    url,
    event_types: eventTypes,
    is_enabled: Type.Boolean({ description: 'Whether events are sent.', examples: [true] }),
  },
  { title: 'WebhookEndpointChanges', examples: [{ is_enabled: false }] },
);
export type WebhookEndpointChanges = Static<typeof WebhookEndpointChanges>;

const properties = {
  id: Id('Id of the endpoint.'),
  user_id: Id('The owner.'),
  url,
  event_types: eventTypes,
  disabled_at: nullable(Timestamp('When it was disabled; null while it is enabled.')),
  created_at: Timestamp('When it was created.'),
};
export const WebhookEndpoint = closed(properties, { title: 'WebhookEndpoint' });

const secret = Type.String({
  description: 'Signs the messages by Standard Webhooks v1. Shown once.',
  examples: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
});
export const CreatedWebhookEndpoint = closed({ ...properties, secret }, { title: 'CreatedWebhookEndpoint' });
export const WebhookSecret = closed({ secret }, { title: 'WebhookSecret' });
export const WebhookEndpointList = closed({ items: Type.Array(WebhookEndpoint) }, { title: 'WebhookEndpointList' });

export const WebhookEndpointParams = closed({ user_id: OwnerId, endpoint_id: Id('Id of the endpoint.') });
