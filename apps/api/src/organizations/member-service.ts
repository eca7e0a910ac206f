import type { Database, OrganizationScope } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { forbidden, found } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { mapRefusals } from './map-refusals.ts';
import type { MemberChanges, PageQuery } from './schemas.ts';

/** Members of an organization. The database refuses to grant or take a role above one's own, and to remove the last owner. */
export function createMembers({ database }: { database: Database }) {
  return {
    list: async (scope: OrganizationScope, query: PageQuery) => {
      const list = `members of ${scope.owner.organizationId}`;
      const page = pageRequest(list, query);
      return pageFrom(list, await database.as(scope).members.list(page), page);
    },

    /** @throws Problem `forbidden`, `not_found`, `last_owner` */
    setRole: (scope: OrganizationScope, userId: string, { role }: MemberChanges, client: Client) =>
      mapRefusals(() =>
        database.as(scope).transaction(async ({ members, auditEvents }) => {
          const before = found(await members.find(userId));
          if (before.role === role) return before;
          // First, because an owner who gives up the role may not be allowed to record the event afterwards.
          const details = { from: before.role, to: role };
          await auditEvents.create({ action: 'member_role_changed', user_id: userId, details, ...client });
          if (!(await members.setRole(userId, role))) throw forbidden();
          return found(await members.find(userId));
        }),
      ),

    /** Ends a membership: of the caller, or of a member whose role the caller may take away. @throws Problem `forbidden`, `not_found`, `last_owner` */
    remove: (scope: OrganizationScope, user: string, client: Client) =>
      mapRefusals(() =>
        database.as(scope).transaction(async ({ members, auditEvents }) => {
          const { userId } = scope.actor;
          const memberId = user === 'me' ? userId : user;
          const { role } = found(await members.find(memberId));
          const action = memberId === userId ? 'member_left' : 'member_removed';
          // First, because afterwards the actor may no longer be a member.
          await auditEvents.create({ action, user_id: memberId, details: { role }, ...client });
          if (!(await members.remove(memberId))) throw forbidden();
        }),
      ),
  };
}

export type Members = ReturnType<typeof createMembers>;
