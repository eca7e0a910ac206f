import { type Static, Type } from '@fastify/type-provider-typebox';
import { organizationScope } from '../auth/owner.ts';
import { clientOf } from '../http/client.ts';
import { type App, OrganizationParams } from '../http/schema.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import { invitationRoutes } from './invitation-routes.ts';
import type { Invitations } from './invitation-service.ts';
import { memberRoutes } from './member-routes.ts';
import type { Members } from './member-service.ts';
import {
  NewOrganization,
  Organization,
  OrganizationChanges,
  OrganizationEventPage,
  OrganizationPage,
  PageQuery,
} from './schemas.ts';
import type { Organizations } from './service.ts';

const tags = ['organizations'];
const collection = '/organizations';
const item = `${collection}/:organization_id`;

const newOrganizations: Throttle = {
  name: 'organizations',
  account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 20, perMinute: 0.2 } },
};

interface Services {
  organizations: Organizations;
  members: Members;
  invitations: Invitations;
}

export function organizationRoutes(app: App, services: Services): void {
  collectionRoutes(app, services.organizations);
  itemRoutes(app, services.organizations);
  eventRoute(app, services.organizations);
  memberRoutes(app, services);
  invitationRoutes(app, services);
}

function collectionRoutes(app: App, organizations: Organizations): void {
  app.get(
    collection,
    {
      schema: {
        operationId: 'listOrganizations',
        tags,
        summary: 'List your organizations, newest first',
        description: 'Those that you are a member of, with your role.',
        querystring: PageQuery,
        response: { 200: OrganizationPage },
      },
    },
    async ({ scope, query }) => organizations.list(scope, query),
  );

  app.post(
    collection,
    {
      schema: {
        operationId: 'createOrganization',
        tags,
        summary: 'Create an organization',
        description: 'You become its owner.',
        body: NewOrganization,
        response: { 201: Organization },
      },
      config: {
        throttle: newOrganizations,
        problems: ['already_exists'],
        location: ({ id }: Static<typeof Organization>) => `/organizations/${id}`,
      },
    },
    async (request) => organizations.create(request.scope, request.body, clientOf(request)),
  );
}

function itemRoutes(app: App, organizations: Organizations): void {
  app.get(
    item,
    {
      schema: {
        operationId: 'getOrganization',
        tags,
        summary: 'Get an organization',
        description: 'Answers 404 for organizations that you are not a member of.',
        params: OrganizationParams,
        response: { 200: Organization },
      },
      config: { requiredScope: 'organizations:read', isVersioned: true },
    },
    async ({ scope, params }) => organizations.get(organizationScope(scope, params.organization_id)),
  );

  app.patch(
    item,
    {
      schema: {
        operationId: 'updateOrganization',
        tags,
        summary: 'Update an organization (its admins)',
        description: 'Changes the fields that are sent.',
        params: OrganizationParams,
        body: OrganizationChanges,
        response: { 200: Organization },
      },
      config: { organizationRole: 'admin', isVersioned: true, problems: ['already_exists'] },
    },
    async (request) => {
      const { scope, params, body, versions } = request;
      return organizations.update(organizationScope(scope, params.organization_id), body, versions, clientOf(request));
    },
  );

  app.delete(
    item,
    {
      schema: {
        operationId: 'deleteOrganization',
        tags,
        summary: 'Delete an organization (its owners)',
        description:
          'Members lose access immediately. A background job deletes the data of the organization. Audit events remain.',
        params: OrganizationParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { organizationRole: 'owner', isVersioned: true },
    },
    async (request) => {
      const { scope, params, versions } = request;
      await organizations.delete(organizationScope(scope, params.organization_id), versions, clientOf(request));
    },
  );
}

function eventRoute(app: App, organizations: Organizations): void {
  app.get(
    `${item}/audit-events`,
    {
      schema: {
        operationId: 'listOrganizationEvents',
        tags,
        summary: 'List audit events of an organization, newest first (its admins)',
        description: 'What happened to the organization, its members, invitations and API keys.',
        params: OrganizationParams,
        querystring: PageQuery,
        response: { 200: OrganizationEventPage },
      },
      config: { organizationRole: 'admin', concurrency: { name: 'organization events', perUser: 2 } },
    },
    async ({ scope, params, query }) =>
      organizations.listEvents(organizationScope(scope, params.organization_id), query),
  );
}
