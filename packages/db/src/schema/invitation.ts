import { defineEntity, p } from '@mikro-orm/core';
import {
  createdAt,
  currentOrganization,
  id,
  mayGrant,
  notExported,
  ownerPolicy,
  systemPolicy,
  timestamp,
} from './columns.ts';
import { MembershipSchema } from './membership.ts';
import { OrganizationSchema } from './organization.ts';
import type { OrganizationRole } from './values.ts';

export const InvitationSchema = defineEntity({
  name: 'Invitation',
  tableName: 'invitations',
  comment: 'Pending invitations to organizations. When the membership of the sender ends, PostgreSQL deletes them.',
  properties: {
    // Its comment is that of both columns.
    inviter: () =>
      p
        .manyToOne(MembershipSchema)
        .joinColumns('organization_id', 'invited_by')
        .updateRule('no action')
        .deleteRule('cascade')
        .foreignKeyName('fk_invitations_invited_by')
        .comment('The organization, and the member of it who sent the invitation.'),
    organization: () =>
      p
        .manyToOne(OrganizationSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_invitations_organization_id')
        .comment('The organization.'),
    id: id(),
    email: p.string().length(255).comment('Address that is invited, in lower case.'),
    role: p.string().$type<OrganizationRole>().length(10).comment('Role that the new member gets.'),
    token_hash: p
      .blob()
      .nullable()
      .comment(`SHA-256 of the token in the link; null until the mail is sent. ${notExported}`),
    created_at: createdAt(),
    expires_at: timestamp().comment('When it expires.'),
  },
  uniques: [
    { name: 'uq_invitations_email', properties: ['organization', 'email'] },
    { name: 'idx_invitations_token_hash', properties: ['token_hash'] },
  ],
  indexes: [
    {
      name: 'idx_invitations_invited_by',
      expression: 'create index "idx_invitations_invited_by" on "invitations" ("organization_id", "invited_by")',
    },
    {
      name: 'idx_invitations_expires_at',
      expression: 'create index "idx_invitations_expires_at" on "invitations" ("expires_at")',
    },
  ],
  checks: [{ name: 'chk_invitations_role', expression: `role in ('owner', 'admin', 'member')` }],
  rowLevelSecurity: 'force',
  policies: [
    ownerPolicy('invitations', `organization_id = ${currentOrganization} and ${mayGrant}`),
    systemPolicy('invitations'),
  ],
});
