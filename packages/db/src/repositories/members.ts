import { sql } from 'kysely';
import type { OrganizationRole } from '../schema/values.ts';
import type { OrganizationContext } from './context.ts';
import type { PageRequest } from './page.ts';

/** A member of an organization, as other members see it. */
export interface Member {
  user_id: string;
  role: OrganizationRole;
  email: string;
  username: string | null;
  full_name: string | null;
  created_at: Date;
  updated_at: Date;
}

/** Members of the organization. */
export const members = ({ db, scope }: OrganizationContext) => {
  const { organizationId } = scope.owner;
  const find = async (userId: string): Promise<Member | undefined> => {
    const { rows } = await sql<Member>`select * from quoin_members(${userId}, null, 1)`.execute(db);
    return rows[0];
  };
  return {
    find,

    /** Newest account first. `id` is the user's, for the cursor. */
    list: async ({ limit, after, skip = 0 }: PageRequest) => {
      const { rows } = await sql<Member & { id: string }>`
        select *, user_id as id from quoin_members(null, ${after ?? null}, ${skip + limit + 1}::int)
        order by user_id desc offset ${skip}::int`.execute(db);
      return rows;
    },

    /** Resolves to whether it did. False if the actor may not take the former role away, or the user is no member. Refused by policy for a role that the actor may not grant. */
    setRole: async (userId: string, role: OrganizationRole): Promise<boolean> => {
      const { numUpdatedRows } = await db
        .updateTable('memberships')
        .set({ role })
        .where('organization_id', '=', organizationId)
        .where('user_id', '=', userId)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    /** Ends a membership. Resolves to whether it did. False if the actor may not end it, or the user is no member. Violates `last_owner`. */
    remove: async (userId: string): Promise<boolean> => {
      const { numDeletedRows } = await db
        .deleteFrom('memberships')
        .where('organization_id', '=', organizationId)
        .where('user_id', '=', userId)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
};
