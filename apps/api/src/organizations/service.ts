import { type Database, type OrganizationScope, requireSession, type Scope, type Versions } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { found, invalid } from '../http/errors.ts';
import { mapDuplicates } from '../http/map-duplicates.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { requireRow } from '../http/preconditions.ts';
import type { OrganizationDeletion } from './deletion.ts';
import type { NewOrganization, OrganizationChanges, PageQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  organizationDeletion: OrganizationDeletion;
  clock: () => Date;
}

/** Constraints of unique fields. */
const uniqueFields = { idx_organizations_slug: 'slug' };
/** Organizations that one user may own. */
const ownedMax = 100;

/** Organizations: users work together in them. `auth/organization-access.ts` lets nobody but members in. */
export function createOrganizations({ database, organizationDeletion, clock }: Dependencies) {
  return {
    /** The caller becomes its owner. @throws Problem `already_exists`, `validation_failed` */
    create: (scope: Scope, { name, slug = null }: NewOrganization, client: Client) =>
      mapDuplicates(uniqueFields, () =>
        database.system(scope).transaction(async ({ users, organizations, auditEvents }) => {
          const { userId } = requireSession(scope);
          found(await users.lock(userId));
          if ((await organizations.countOwnedBy(userId)) >= ownedMax)
            throw invalid('', `is refused: you own ${ownedMax} organizations. Delete one first`);
          const organization = await organizations.create({ name, slug }, userId);
          const event = { user_id: userId, actor_id: userId, organization_id: organization.id, ...client };
          await auditEvents.create({ action: 'organization_created', ...event });
          return organization;
        }),
      ),

    /** The organizations of the caller. */
    list: async (scope: Scope, query: PageQuery) => {
      const list = `organizations of ${scope.actor.userId}`;
      const page = pageRequest(list, query);
      return pageFrom(list, await database.as(scope).organizations.list(page), page);
    },

    get: async (scope: OrganizationScope) => found(await database.as(scope).organization.find()),

    /** Changes the given fields. @throws Problem `already_exists`, `precondition_failed` */
    update: (scope: OrganizationScope, changes: OrganizationChanges, versions: Versions, client: Client) =>
      mapDuplicates(uniqueFields, () =>
        database.as(scope).transaction(async ({ organization, auditEvents }) => {
          const fields = Object.keys(changes);
          const isEmpty = fields.length === 0;
          const updated = await (isEmpty ? organization.find(versions) : organization.update(changes, versions));
          const current = await requireRow(versions, updated, () => organization.find());
          if (!isEmpty) await auditEvents.create({ action: 'organization_changed', details: { fields }, ...client });
          return current;
        }),
      ),

    /** Ends all memberships at once. A job deletes the rows. @throws Problem `precondition_failed` */
    delete: async (scope: OrganizationScope, versions: Versions, client: Client) => {
      await database.as(scope).transaction(async (repositories) => {
        const { organization, auditEvents } = repositories;
        // Before the membership of the actor ends.
        await auditEvents.create({ action: 'organization_deleted', ...client });
        if (!(await organization.markDeleted(clock(), versions)))
          await requireRow(versions, undefined, () => organization.find());
        await organizationDeletion.enqueue(repositories, [scope.owner.organizationId]);
      });
      organizationDeletion.wake();
    },

    /** For admins of the organization: its audit events, without where the actors acted from. */
    listEvents: async (scope: OrganizationScope, query: PageQuery) => {
      const list = `events of ${scope.owner.organizationId}`;
      const page = pageRequest(list, query);
      return pageFrom(list, await database.as(scope).auditEvents.list(page), page);
    },
  };
}

export type Organizations = ReturnType<typeof createOrganizations>;
