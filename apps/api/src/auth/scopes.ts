import type { FastifyInstance } from 'fastify';
import { Problem } from '../http/errors.ts';
import { registeredScopes } from '../product/scopes.ts';

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
  'organizations:read',
  ...registeredScopes,
] as const;
export type ApiScope = (typeof apiScopes)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that an API key needs for this route. Without it, the route refuses API keys. */
    requiredScope?: ApiScope;
  }
}

/** Refuses API keys without the scope of the route. Runs after the rate limit per user, so that refused requests count. */
export function apiScopesOnly(app: FastifyInstance): void {
  app.addHook('onRequest', ({ routeOptions, scope }, _reply, done) => {
    const { requiredScope } = routeOptions.config;
    // On public routes there may be no caller.
    if (scope?.actor.via !== 'api_key') return done();
    // The key of an organization is for its rows, not for those of the key's owner.
    if (scope.actor.organizationId !== undefined && !routeOptions.url?.includes('/:organization_id'))
      return done(outsideOrganization());
    const isGranted = requiredScope !== undefined && scope.actor.scopes.includes(requiredScope);
    done(isGranted ? undefined : insufficientScope(requiredScope));
  });
}

const outsideOrganization = () =>
  new Problem('insufficient_scope', 'This API key is for the rows of an organization.', {
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
  });

/** The error of RFC 6750, 3.1. */
function insufficientScope(required: ApiScope | undefined): Problem {
  const scope = required ? `, scope="${required}"` : '';
  return new Problem(
    'insufficient_scope',
    required
      ? `This API key does not have the scope ${required}.`
      : 'This route needs a session: API keys cannot use it.',
    { headers: { 'www-authenticate': `Bearer error="insufficient_scope"${scope}` } },
  );
}
