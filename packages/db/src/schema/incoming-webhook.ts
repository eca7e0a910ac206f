import { defineEntity, p } from '@mikro-orm/core';
import { systemPolicy, timestamp } from './columns.ts';

export const IncomingWebhookSchema = defineEntity({
  name: 'IncomingWebhook',
  tableName: 'incoming_webhooks',
  comment: 'Webhooks that were received, so that each is handled once however often it is sent.',
  properties: {
    source: p.string().length(50).primary().comment('Who sent it, such as stripe.'),
    message_id: p.string().length(255).primary().comment('Id that the sender gave it.'),
    received_at: timestamp().defaultRaw('now()').comment('When it was received.'),
  },
  indexes: [{ name: 'idx_incoming_webhooks_received_at', properties: ['received_at'] }],
  rowLevelSecurity: 'force',
  policies: [systemPolicy('incoming_webhooks')],
});
