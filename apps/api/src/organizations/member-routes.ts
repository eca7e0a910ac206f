import { Type } from '@fastify/type-provider-typebox';
import { organizationScope } from '../auth/owner.ts';
import { clientOf } from '../http/client.ts';
import { type App, OrganizationParams } from '../http/schema.ts';
import type { Members } from './member-service.ts';
import { LeavingParams, Member, MemberChanges, MemberPage, MemberParams, PageQuery } from './schemas.ts';

const tags = ['organizations'];
const collection = '/organizations/:organization_id/members';
const item = `${collection}/:user_id`;

export function memberRoutes(app: App, { members }: { members: Members }): void {
  app.get(
    collection,
    {
      schema: {
        operationId: 'listMembers',
        tags,
        summary: 'List the members of an organization',
        description: 'For all members. Newest account first.',
        params: OrganizationParams,
        querystring: PageQuery,
        response: { 200: MemberPage },
      },
      config: { requiredScope: 'organizations:read' },
    },
    async ({ scope, params, query }) => members.list(organizationScope(scope, params.organization_id), query),
  );

  app.patch(
    item,
    {
      schema: {
        operationId: 'updateMember',
        tags,
        summary: 'Change the role of a member (admins of the organization)',
        description: 'Admins grant and take away every role but `owner`. Owners grant every role.',
        params: MemberParams,
        body: MemberChanges,
        response: { 200: Member },
      },
      config: { organizationRole: 'admin', problems: ['last_owner'] },
    },
    async (request) => {
      const { scope, params, body } = request;
      const userId = params.user_id.toLowerCase();
      return members.setRole(organizationScope(scope, params.organization_id), userId, body, clientOf(request));
    },
  );

  app.delete(
    item,
    {
      schema: {
        operationId: 'removeMember',
        tags,
        summary: 'Leave an organization, or remove a member (admins of the organization)',
        description:
          'The former member loses access with the next request. Their API keys for the organization and the invitations that they sent stop working.',
        params: LeavingParams,
        response: { 204: Type.Null({ description: 'The membership has ended.' }) },
      },
      config: { problems: ['forbidden', 'last_owner'] },
    },
    async (request) => {
      const { scope, params } = request;
      const user = params.user_id.toLowerCase();
      await members.remove(organizationScope(scope, params.organization_id), user, clientOf(request));
    },
  );
}
