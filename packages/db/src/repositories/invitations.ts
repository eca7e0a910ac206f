import { sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { OrganizationRole } from '../schema/values.ts';
import type { Context, OrganizationContext } from './context.ts';
import { deleteOld } from './delete-old.ts';
import { type PageRequest, paged } from './page.ts';

const columns = ['id', 'organization_id', 'email', 'role', 'invited_by', 'created_at', 'expires_at'] as const;

/** Invitations to the organization. The database lets members invite to roles that they may grant. */
export const invitations = ({ db, scope }: OrganizationContext) => {
  const { organizationId } = scope.owner;
  return {
    /** Replaces an earlier invitation of the address, whose link stops working. */
    create: async (invitation: { email: string; role: OrganizationRole; created_at: Date; expires_at: Date }) => {
      const values = { ...invitation, invited_by: scope.actor.userId };
      return db
        .insertInto('invitations')
        .values({ id: newId(), organization_id: organizationId, ...values })
        .onConflict((conflict) =>
          conflict.constraint('uq_invitations_email').doUpdateSet({ id: newId(), token_hash: null, ...values }),
        )
        .returning(columns)
        .executeTakeFirstOrThrow();
    },

    /** Newest first, without those that have expired. */
    list: (now: Date, page: PageRequest) =>
      paged(
        db
          .selectFrom('invitations')
          .select(columns)
          .where('organization_id', '=', organizationId)
          .where('expires_at', '>', now),
        page,
      ).execute(),

    /** Resolves to the number of pending invitations of other addresses. Nobody else creates one until the transaction ends. */
    countOthers: async (email: string, now: Date): Promise<number> => {
      await db.selectFrom('organizations').select('id').where('id', '=', organizationId).forNoKeyUpdate().execute();
      const { count } = await db
        .selectFrom('invitations')
        .select(({ fn }) => fn.countAll<string>().as('count'))
        .where('organization_id', '=', organizationId)
        .where('expires_at', '>', now)
        .where('email', '<>', email)
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    /** Resolves to the invitation that was deleted. */
    delete: (id: string) =>
      db
        .deleteFrom('invitations')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .returning(columns)
        .executeTakeFirst(),
  };
};

/** The secrets of invitations: a mail carries them, and an invited user presents them. */
export const invitationTokens = ({ db }: Context) => ({
  /** Sets the token of an invitation. Resolves to the member who sent it; undefined if it is gone. */
  issue: async (
    { organizationId, id, email }: { organizationId: string; id: string; email: string },
    token_hash: Uint8Array,
    now: Date,
  ): Promise<string | undefined> => {
    const invitation = await db
      .updateTable('invitations')
      .set({ token_hash })
      .where('organization_id', '=', organizationId)
      .where('id', '=', id)
      .where('email', '=', email)
      .where('expires_at', '>', now)
      .returning('invited_by')
      .executeTakeFirst();
    return invitation?.invited_by;
  },

  /** Returns the invitation with this token, if its sender may still grant the role. Keeps the membership of the sender and the organization until the transaction ends. */
  lock: (tokenHash: Uint8Array, now: Date) =>
    db
      .selectFrom('invitations')
      .innerJoin('memberships as inviter', (join) =>
        join
          .onRef('inviter.organization_id', '=', 'invitations.organization_id')
          .onRef('inviter.user_id', '=', 'invitations.invited_by'),
      )
      .innerJoin('organizations', 'organizations.id', 'invitations.organization_id')
      .select(['invitations.organization_id', 'invitations.id', 'invitations.email', 'invitations.role'])
      .where('token_hash', '=', tokenHash)
      .where('expires_at', '>', now)
      .where('organizations.deleted_at', 'is', null)
      .where(sql<boolean>`(inviter.role = 'owner' or inviter.role = 'admin' and invitations.role <> 'owner')`)
      .forShare(['inviter', 'organizations'])
      .executeTakeFirst(),

  /** Makes the invited user a member, and deletes the invitation. A member keeps their role. Resolves to whether the invitation was still there. */
  accept: async (
    { organization_id, id }: { organization_id: string; id: string },
    userId: string,
  ): Promise<boolean> => {
    const { rows } = await sql`
      with accepted as (
        delete from invitations where organization_id = ${organization_id} and id = ${id} returning organization_id, role
      ), added as (
        insert into memberships (organization_id, user_id, role) select organization_id, ${userId}, role from accepted
        on conflict do nothing
      )
      select from accepted`.execute(db);
    return rows.length > 0;
  },

  /** Deletes at most `limit` invitations that expired before then. Resolves to their number. */
  deleteExpired: (before: Date, limit: number) =>
    deleteOld(db, { table: 'invitations', key: ['organization_id', 'id'], column: 'expires_at' }, before, limit),
});
