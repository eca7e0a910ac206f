import { type Static, Type } from '@fastify/type-provider-typebox';
import { auditActions } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { closed, Id, nullable, oneOf, Timestamp } from '../http/schema.ts';

const action = oneOf(auditActions, { description: 'What happened.', examples: ['signed_in'] });

export const AuditEvent = closed(
  {
    id: Id('Id of the event.'),
    action,
    user_id: nullable(Id('Id of the account that the event concerns; null if no account matched.')),
    actor_id: nullable(Id('The user who acted; null for an anonymous client.')),
    session_id: nullable(Id('The session in which the actor acted, or that was ended.')),
    ip_address: nullable(Type.String({ description: 'Client address.', examples: ['203.0.113.9'] })),
    user_agent: nullable(Type.String({ description: 'User-Agent of the client.', examples: ['Mozilla/5.0'] })),
    request_id: nullable(
      Type.String({
        description: 'Request id that the server assigned; `request_id` or `own_request_id` in the log.',
        examples: ['0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4'],
      }),
    ),
    client_request_id: nullable(
      Type.String({ description: '`X-Request-Id` that the client sent.', examples: ['checkout-42'] }),
    ),
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'More facts, by action.',
      examples: [{}],
    }),
    created_at: Timestamp('When it happened.'),
  },
  { title: 'AuditEvent' },
);

export const AuditEventPage = pageOf('AuditEventPage', AuditEvent);

const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', maxLength: 40, description }));
const ownFilters = {
  ...pageQuery,
  action: Type.Optional(action),
  since: time('Events at or after this time (ISO 8601).'),
  until: time('Events before this time (ISO 8601).'),
};

export const OwnAuditEventQuery = closed(ownFilters);
export type OwnAuditEventQuery = Static<typeof OwnAuditEventQuery>;

export const AuditEventQuery = closed({
  ...ownFilters,
  user_id: Type.Optional(Id('Filter by account.')),
  actor_id: Type.Optional(Id('Filter by actor.')),
  ip_address: Type.Optional(Type.String({ 'x-format': 'ip', maxLength: 45, description: 'Filter by client address.' })),
  request_id: Type.Optional(
    Type.String({ maxLength: 128, description: 'Filter by the request id that the server assigned.' }),
  ),
  client_request_id: Type.Optional(
    Type.String({ maxLength: 128, description: 'Filter by the `X-Request-Id` that the client sent.' }),
  ),
});
export type AuditEventQuery = Static<typeof AuditEventQuery>;
