import { Type } from '@fastify/type-provider-typebox';
import { closed, Id, nullable, Timestamp } from '../http/schema.ts';

const Session = closed(
  {
    id: Id('The session.'),
    user_agent: nullable(
      Type.String({ description: 'What the client called itself when it signed in.', examples: ['Mozilla/5.0'] }),
    ),
    ip_address: nullable(Type.String({ description: 'Where the sign-in came from.', examples: ['203.0.113.9'] })),
    created_at: Timestamp('When it began.'),
    last_used_at: Timestamp('The last request, to within a minute.'),
    expires_at: Timestamp('When it ends, however busy it is.'),
    current: Type.Boolean({ description: 'Whether it is the one that asks.', examples: [true] }),
  },
  { title: 'Session' },
);

export const SessionList = closed({ items: Type.Array(Session) }, { title: 'SessionList' });

export const SessionParams = closed({ session_id: Id('The session.') });
export const UserParams = closed({ user_id: Id('Whose sessions.') });
