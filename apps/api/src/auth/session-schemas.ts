import { Type } from '@fastify/type-provider-typebox';
import { closed, Id, nullable, Timestamp } from '../http/schema.ts';

const Session = closed(
  {
    id: Id('Id of the session.'),
    user_agent: nullable(Type.String({ description: 'User-Agent at sign-in.', examples: ['Mozilla/5.0'] })),
    ip_address: nullable(Type.String({ description: 'Client address at sign-in.', examples: ['203.0.113.9'] })),
    methods: Type.Array(Type.String(), {
      description: 'How you proved who you are (RFC 8176): `pwd`, `otp`, `email`, `hwk`, `swk`, `recovery`, `mfa`.',
      examples: [['pwd', 'otp', 'mfa']],
    }),
    authenticated_at: Timestamp('When you last proved who you are.'),
    created_at: Timestamp('When the session began.'),
    last_used_at: Timestamp('Time of the last request, to the minute.'),
    expires_at: Timestamp('When the session expires, regardless of use.'),
    current: Type.Boolean({ description: 'Whether this is the session of the request.', examples: [true] }),
  },
  { title: 'Session' },
);

export const SessionList = closed({ items: Type.Array(Session) }, { title: 'SessionList' });

export const SessionParams = closed({ session_id: Id('Id of the session.') });
export const UserParams = closed({ user_id: Id('Id of the user.') });
