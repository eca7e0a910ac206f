import { createHash, randomBytes } from 'node:crypto';
import { type Database, type OrganizationScope, requireSession, type Scope } from '@quoin/db';
import type { Client } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { normalizeEmail } from '../http/email.ts';
import { found, invalid, Problem } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { invitationMail } from '../mail/kinds/invitation.ts';
import type { Mail } from '../mail/mail.ts';
import { mapRefusals } from './map-refusals.ts';
import type { NewInvitation, PageQuery } from './schemas.ts';

interface Dependencies {
  database: Database;
  mail: Mail;
  clock: () => Date;
}

const lifetimeMs = 7 * 86_400_000;
/** Pending invitations of one organization. */
const pendingMax = 200;

/** Returns the hash under which a token is stored. It has 256 random bits, so SHA-256 is enough. */
const hashOf = (token: string) => createHash('sha256').update(token).digest();

/** Invitations to organizations, by mail. */
export function createInvitations({ database, mail, clock }: Dependencies) {
  return {
    /** Replaces an earlier invitation of the address. @throws Problem `forbidden`, `already_member`, `validation_failed` */
    create: async (scope: OrganizationScope, { email: address, role }: NewInvitation, client: Client) => {
      const email = normalizeEmail(address);
      const created_at = clock();
      const { users } = database.system();
      const inviter = found(await users.find(scope.actor.userId));
      if (!inviter.email_verified_at) throw new Problem('forbidden', 'Verify your email address first.');
      const invited = await users.findByEmail(email);
      const invitation = await mapRefusals(() =>
        database.as(scope).transaction(async (repositories) => {
          const { invitations, members, auditEvents } = repositories;
          if (invited && (await members.find(invited.id)))
            throw new Problem('already_member', 'The user with this address is a member.');
          if ((await invitations.countOthers(email, created_at)) >= pendingMax)
            throw invalid('', `is refused: the organization has ${pendingMax} pending invitations. Revoke one first`);
          const expires_at = new Date(created_at.getTime() + lifetimeMs);
          const created = await invitations.create({ email, role, created_at, expires_at });
          const details = { invitation_id: created.id, email, role };
          await auditEvents.create({ action: 'invitation_created', details, ...client });
          const data = {
            invitation_id: created.id,
            organization_id: created.organization_id,
            inviter_email: inviter.email,
          };
          await mail.send(repositories, invitationMail, email, data, client);
          return created;
        }),
      );
      mail.wake();
      return invitation;
    },

    list: async (scope: OrganizationScope, query: PageQuery) => {
      const list = `invitations of ${scope.owner.organizationId}`;
      const page = pageRequest(list, query);
      return pageFrom(list, await database.as(scope).invitations.list(clock(), page), page);
    },

    /** Its link stops working. @throws Problem `not_found` */
    revoke: (scope: OrganizationScope, id: string, client: Client): Promise<void> =>
      database.as(scope).transaction(async ({ invitations, auditEvents }) => {
        const { email, role } = found(await invitations.delete(id));
        const details = { invitation_id: id, email, role };
        await auditEvents.create({ action: 'invitation_revoked', details, ...client });
      }),

    /**
     * Makes the caller a member, if the invitation was sent to the address of the account, and the account has proven that the address is its own: a link can be
     * forwarded. An existing member keeps their role.
     *
     * @throws Problem `forbidden` for another account, `validation_failed` at `/token`
     */
    accept: (scope: Scope, token: string, client: Client) => {
      const { userId } = requireSession(scope);
      return database.system(scope).transaction(async (repositories) => {
        const { users, invitationTokens, organizations, auditEvents } = repositories;
        const user = found(await users.lock(userId));
        const invitation = await invitationTokens.lock(hashOf(token), clock());
        if (!invitation) throw invalidInvitation();
        if (invitation.email !== user.email)
          throw new Problem('forbidden', 'This invitation was sent to another email address.');
        if (!user.email_verified_at) throw new Problem('forbidden', 'Verify your email address first.');
        if (!(await invitationTokens.accept(invitation, userId))) throw invalidInvitation();
        const { id: invitation_id, organization_id, role } = invitation;
        const event = {
          user_id: userId,
          actor_id: userId,
          organization_id,
          details: { invitation_id, role },
          ...client,
        };
        await auditEvents.create({ action: 'invitation_accepted', ...event });
        return found(await organizations.findOf(organization_id, userId));
      });
    },

    /** Issues the token of the mail. Resolves to undefined if the invitation is gone. */
    issue: async (email: string, { organization_id, invitation_id }: Record<string, unknown>) => {
      const token = randomBytes(32).toString('base64url');
      const key = { organizationId: String(organization_id), id: String(invitation_id), email };
      const userId = await database.system().invitationTokens.issue(key, hashOf(token), clock());
      return userId === undefined ? undefined : { token, userId };
    },

    /** Deletes expired invitations. Resolves to their number. */
    deleteExpired: () => deleteAll((limit) => database.system().invitationTokens.deleteExpired(clock(), limit)),
  };
}

export type Invitations = ReturnType<typeof createInvitations>;

const invalidInvitation = () => invalid('/token', 'is not valid, was used before, or has expired');
