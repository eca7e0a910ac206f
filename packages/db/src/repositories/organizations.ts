import { type Insertable, type Kysely, type RawBuilder, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { OrganizationRole } from '../schema/values.ts';
import type { Context, OrganizationContext, OwnerContext } from './context.ts';
import { type PageRequest, paged } from './page.ts';
import { hasVersion, microsecondsOf, type Versions } from './version.ts';

const columns = ['id', 'name', 'slug', 'created_at', 'updated_at'] as const;
/** With the role, which is part of the response but not of what `If-Match` compares. */
const versionWith = (role: RawBuilder<unknown>) =>
  sql<string>`${microsecondsOf('organizations')} || '-' || ${role}`.as('version');
const version = versionWith(sql.ref('memberships.role'));

export type NewOrganization = Pick<Insertable<Tables['organizations']>, 'name' | 'slug'>;
export type OrganizationChanges = Partial<NewOrganization>;

/** The organizations of a user, with the role of the user. */
const organizationsOf = (db: Kysely<Tables>, userId: string) =>
  db
    .selectFrom('memberships')
    .innerJoin('organizations', 'organizations.id', 'memberships.organization_id')
    .select(columns.map((column) => `organizations.${column}` as const))
    .select('memberships.role')
    .where('memberships.user_id', '=', userId)
    .where('deleted_at', 'is', null);

/** The organizations that the owner of the scope is a member of. */
export const ownOrganizations = ({ db, scope }: OwnerContext) => ({
  /** Newest first. */
  list: (page: PageRequest) => paged(organizationsOf(db, scope.owner.userId), page).execute(),
});

/** The organization of the scope. */
export const organization = ({ db, fast, scope }: OrganizationContext) => {
  const { organizationId } = scope.owner;
  return {
    /** With the role of the actor. */
    find: (versions?: Versions) =>
      organizationsOf(fast, scope.actor.userId)
        .select(version)
        .where('organizations.id', '=', organizationId)
        .where(hasVersion('organizations', versions))
        .executeTakeFirst(),

    /** Violates `idx_organizations_slug` if another organization has the slug. */
    update: (changes: OrganizationChanges, versions?: Versions) =>
      db
        .updateTable('organizations')
        .set(changes)
        .where('id', '=', organizationId)
        .where('deleted_at', 'is', null)
        .where(hasVersion('organizations', versions))
        .returning(columns)
        .returning(sql<OrganizationRole>`quoin_organization_role()`.as('role'))
        .returning(versionWith(sql`quoin_organization_role()`))
        .executeTakeFirst(),

    /** Hides the organization and ends all memberships. A job deletes its rows. Resolves to whether it existed, with one of the versions. */
    markDeleted: async (now: Date, versions?: Versions): Promise<boolean> => {
      const { numUpdatedRows } = await db
        .updateTable('organizations')
        .set({ deleted_at: now, slug: null })
        .where('id', '=', organizationId)
        .where('deleted_at', 'is', null)
        .where(hasVersion('organizations', versions))
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) return false;
      await db.deleteFrom('memberships').where('organization_id', '=', organizationId).execute();
      return true;
    },
  };
};

/** Organizations of all users. */
export const organizations = ({ db }: Context) => ({
  /** Creates an organization with its first owner. Violates `idx_organizations_slug` if another one has the slug. */
  create: async (organization: NewOrganization, ownerId: string) => {
    const created = await db
      .insertInto('organizations')
      .values({ id: newId(), ...organization })
      .returning(columns)
      .returning(versionWith(sql`'owner'`))
      .executeTakeFirstOrThrow();
    const role: OrganizationRole = 'owner';
    await db.insertInto('memberships').values({ organization_id: created.id, user_id: ownerId, role }).execute();
    return { ...created, role };
  },

  /** With the role of a member. */
  findOf: (id: string, userId: string) =>
    organizationsOf(db, userId).select(version).where('organizations.id', '=', id).executeTakeFirst(),

  /** Returns the role of a user in an organization, and keeps it until the transaction ends. */
  lockRole: async (organizationId: string, userId: string): Promise<OrganizationRole | undefined> => {
    const membership = await db
      .selectFrom('memberships')
      .select('role')
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .forShare()
      .executeTakeFirst();
    return membership?.role;
  },

  /** Resolves to the number of organizations that the user owns. */
  countOwnedBy: async (userId: string): Promise<number> => {
    const { count } = await db
      .selectFrom('memberships')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .where('user_id', '=', userId)
      .where('role', '=', 'owner')
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  /** Gives a member another role, for a command. Resolves to whether the user is a member. */
  setRole: async (organizationId: string, userId: string, role: OrganizationRole): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('memberships')
      .set({ role })
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Marks the organizations whose only member is the user as deleted. Resolves to their ids. */
  markDeletedOf: async (userId: string, now: Date): Promise<string[]> => {
    // Waits for users who are accepting an invitation, so that the next statement sees them.
    await db
      .selectFrom('organizations')
      .select('id')
      .where('id', 'in', (mine) =>
        mine.selectFrom('memberships').select('organization_id').where('user_id', '=', userId),
      )
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    const marked = await db
      .updateTable('organizations')
      .set({ deleted_at: now, slug: null })
      .where('deleted_at', 'is', null)
      .where('id', 'in', (mine) =>
        mine.selectFrom('memberships').select('organization_id').where('user_id', '=', userId),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('memberships')
              .select('user_id')
              .whereRef('organization_id', '=', 'organizations.id')
              .where('user_id', '<>', userId),
          ),
        ),
      )
      .returning('id')
      .execute();
    return marked.map(({ id }) => id);
  },

  /** Whether an organization with other members has no other owner than the user. */
  hasLastOwner: async (userId: string): Promise<boolean> => {
    const { rows } = await sql`
      select from memberships m where m.user_id = ${userId} and m.role = 'owner'
        and exists (select from memberships o where o.organization_id = m.organization_id and o.user_id <> m.user_id)
        and not exists (
          select from memberships o where o.organization_id = m.organization_id and o.user_id <> m.user_id and o.role = 'owner')
      limit 1`.execute(db);
    return rows.length > 0;
  },

  /** Ends all memberships of a user. Violates `last_owner` if other members of an organization would have no owner. */
  leaveAll: async (userId: string): Promise<void> => {
    await db.deleteFrom('memberships').where('user_id', '=', userId).execute();
  },

  /** Returns deleted organizations that no job deletes, marked before a time. */
  listOverdue: async (before: Date, limit: number): Promise<string[]> => {
    const { rows } = await sql<{ id: string }>`
      select id from organizations where deleted_at < ${before} and not exists (
        select from pgboss.job where job.name = 'delete-organization' and singleton_key = organizations.id::text and state < 'completed')
      limit ${limit}`.execute(db);
    return rows.map(({ id }) => id);
  },

  /** Deletes a marked organization and, by foreign keys, what still belongs to it. */
  delete: (id: string) =>
    db.deleteFrom('organizations').where('id', '=', id).where('deleted_at', 'is not', null).execute(),
});
