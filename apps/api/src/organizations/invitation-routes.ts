import { type Static, Type } from '@fastify/type-provider-typebox';
import { organizationScope } from '../auth/owner.ts';
import { clientOf } from '../http/client.ts';
import { type App, OrganizationParams } from '../http/schema.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import type { Invitations } from './invitation-service.ts';
import {
  AcceptedInvitation,
  Invitation,
  InvitationPage,
  InvitationParams,
  NewInvitation,
  Organization,
  PageQuery,
} from './schemas.ts';

const tags = ['organizations'];
const collection = '/organizations/:organization_id/invitations';

/** Each sends a mail to a stranger. */
const sentByOneUser: Throttle = {
  name: 'invitations',
  account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 50, perMinute: 1 } },
};

export function invitationRoutes(app: App, { invitations }: { invitations: Invitations }): void {
  app.post(
    collection,
    {
      schema: {
        operationId: 'createInvitation',
        tags,
        summary: 'Invite somebody to an organization (its admins)',
        description:
          'Sends a mail with a link to `APP_URL/accept-invitation?token=…`, which works for seven days. Replaces an earlier invitation of the address. Nobody invites to a role above their own. Your own email must be verified.',
        params: OrganizationParams,
        body: NewInvitation,
        response: { 201: Invitation },
      },
      config: {
        organizationRole: 'admin',
        throttle: sentByOneUser,
        problems: ['already_member'],
        location: ({ organization_id, id }: Static<typeof Invitation>) =>
          `/organizations/${organization_id}/invitations/${id}`,
      },
    },
    async (request) => {
      const { scope, params, body } = request;
      return invitations.create(organizationScope(scope, params.organization_id), body, clientOf(request));
    },
  );

  app.get(
    collection,
    {
      schema: {
        operationId: 'listInvitations',
        tags,
        summary: 'List pending invitations, newest first (admins of the organization)',
        description:
          'Without those that were accepted or have expired. Admins do not see invitations to the role `owner`.',
        params: OrganizationParams,
        querystring: PageQuery,
        response: { 200: InvitationPage },
      },
      config: { organizationRole: 'admin' },
    },
    async ({ scope, params, query }) => invitations.list(organizationScope(scope, params.organization_id), query),
  );

  app.delete(
    `${collection}/:invitation_id`,
    {
      schema: {
        operationId: 'revokeInvitation',
        tags,
        summary: 'Revoke an invitation (admins of the organization)',
        description: 'The link in its mail stops working.',
        params: InvitationParams,
        response: { 204: Type.Null({ description: 'Revoked.' }) },
      },
      config: { organizationRole: 'admin' },
    },
    async (request) => {
      const { scope, params } = request;
      const id = params.invitation_id.toLowerCase();
      await invitations.revoke(organizationScope(scope, params.organization_id), id, clientOf(request));
    },
  );

  app.post(
    '/invitations/accept',
    {
      schema: {
        operationId: 'acceptInvitation',
        tags,
        summary: 'Accept an invitation',
        description:
          'For the account whose verified email was invited; other accounts get 403, and the link keeps working. A member keeps their role.',
        body: AcceptedInvitation,
        response: { 200: Organization },
      },
      config: { problems: ['forbidden'] },
    },
    async (request) => invitations.accept(request.scope, request.body.token, clientOf(request)),
  );
}
