import { type OrganizationRole, organizationRoles } from '@quoin/db';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { forbidden, notFound } from '../http/errors.ts';

// Routes with an `organization_id` in their path are for members of that organization. Who is a member is read with the caller, on every request; row level security
// checks it once more in each statement.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The lowest role in the organization of the path that may call the route. Members with a lower one get 403 before the body is validated. Default `member`. */
    organizationRole?: OrganizationRole;
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the organization in the path, if there is one. A malformed id belongs to no organization; validation refuses it. */
export function organizationIdOf({ params }: FastifyRequest): string | undefined {
  const { organization_id: id } = (params ?? {}) as { organization_id?: string };
  return id !== undefined && uuid.test(id) ? id.toLowerCase() : undefined;
}

/** Answers 404 to strangers, as if the organization did not exist, whatever they send. Runs after the rate limit per user, so that refused requests count. */
export function membersOnly(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const organizationId = organizationIdOf(request);
    // A public route, such as that of an unsupported method, has no caller.
    if (organizationId === undefined || request.is404 || request.routeOptions.config.public) return done();
    const { user, scope, routeOptions } = request;
    // A key for the rows of its owner, or of another organization, is a stranger too.
    const isStranger = scope.actor.via === 'api_key' && scope.actor.organizationId !== organizationId;
    const role = isStranger ? null : user.organization_role;
    if (!role) return done(notFound());
    const { organizationRole = 'member' } = routeOptions.config;
    done(organizationRoles.indexOf(role) > organizationRoles.indexOf(organizationRole) ? forbidden() : undefined);
  });
}
