import { type Static, Type } from '@fastify/type-provider-typebox';
import { auditActions } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { closed, Id, nullable, oneOf, Timestamp } from '../http/schema.ts';

const action = oneOf(auditActions, { description: 'What happened.', examples: ['signed_in'] });

export const AuditEvent = closed(
  {
    id: Id('The event.'),
    action,
    user_id: nullable(Id('To whose account; null where there is no such account.')),
    actor_id: nullable(Id('Who did it; null where nobody was signed in.')),
    session_id: nullable(Id('The session that it was done in, or done to.')),
    ip_address: nullable(Type.String({ description: 'Where the request came from.', examples: ['203.0.113.9'] })),
    user_agent: nullable(Type.String({ description: 'What the client called itself.', examples: ['Mozilla/5.0'] })),
    request_id: nullable(
      Type.String({
        description: "The server's own id of the request. Its log line has it as `request_id` or `own_request_id`.",
        examples: ['0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4'],
      }),
    ),
    client_request_id: nullable(
      Type.String({ description: 'The X-Request-Id that the caller chose.', examples: ['checkout-42'] }),
    ),
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'More about it, by action.',
      examples: [{}],
    }),
    created_at: Timestamp('When it happened.'),
  },
  { title: 'AuditEvent' },
);

export const AuditEventPage = pageOf('AuditEventPage', AuditEvent);

const moment = (description: string) => Type.Optional(Type.String({ format: 'date-time', maxLength: 40, description }));
const ownFilters = {
  ...pageQuery,
  action: Type.Optional(action),
  since: moment('From this moment on (ISO 8601).'),
  until: moment('Before this moment (ISO 8601).'),
};

export const OwnAuditEventQuery = closed(ownFilters);
export type OwnAuditEventQuery = Static<typeof OwnAuditEventQuery>;

export const AuditEventQuery = closed({
  ...ownFilters,
  user_id: Type.Optional(Id('To this account.')),
  actor_id: Type.Optional(Id('Done by this one.')),
  ip_address: Type.Optional(Type.String({ format: 'ip', maxLength: 45, description: 'From this address.' })),
  request_id: Type.Optional(Type.String({ maxLength: 128, description: "By the server's own id of the request." })),
  client_request_id: Type.Optional(Type.String({ maxLength: 128, description: 'By the X-Request-Id of the caller.' })),
});
export type AuditEventQuery = Static<typeof AuditEventQuery>;
