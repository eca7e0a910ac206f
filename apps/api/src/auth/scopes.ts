import { Problem } from '../http/errors.ts';

/**
 * What an API key can be allowed to do. A route names the one that it needs as `requiredScope`. Routes without it refuse API keys, so everything that creates credentials or
 * changes an account stays with sessions.
 */
export const apiScopes = [
  'profile:read',
  'preferences:read',
  'preferences:write',
  'tasks:read',
  'tasks:write',
  'documents:read',
  'documents:write',
  'audit-events:read',
  // Above this line `npm run new -- resource` adds its own.
] as const;
export type ApiScope = (typeof apiScopes)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that an API key needs for this route. Without it, the route refuses API keys. */
    requiredScope?: ApiScope;
  }
}

/** @throws Problem `insufficient_scope` (RFC 6750, 3.1) */
export function requireApiScope(granted: readonly string[], required: ApiScope | undefined): void {
  if (required && granted.includes(required)) return;
  const scope = required ? `, scope="${required}"` : '';
  throw new Problem(
    'insufficient_scope',
    required
      ? `This API key does not have the scope ${required}.`
      : 'This route needs a session: API keys cannot use it.',
    { headers: { 'www-authenticate': `Bearer error="insufficient_scope"${scope}` } },
  );
}
