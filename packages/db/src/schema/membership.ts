import { defineEntity, p } from '@mikro-orm/core';
import {
  appPolicy,
  createdAt,
  currentOrganization,
  mayGrant,
  systemPolicy,
  updatedAt,
  updatedAtTrigger,
} from './columns.ts';
import { OrganizationSchema } from './organization.ts';
import { UserSchema } from './user.ts';
import type { OrganizationRole } from './values.ts';

export const MembershipSchema = defineEntity({
  name: 'Membership',
  tableName: 'memberships',
  comment:
    'Which users are members of which organizations, and as what. A trigger keeps an owner in each organization.',
  properties: {
    organization: () =>
      p
        .manyToOne(OrganizationSchema)
        .primary()
        .updateRule('no action')
        .deleteRule('cascade')
        .foreignKeyName('fk_memberships_organization_id')
        .comment('The organization.'),
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .updateRule('no action')
        .deleteRule('cascade')
        .foreignKeyName('fk_memberships_user_id')
        .comment('The member.'),
    role: p
      .string()
      .$type<OrganizationRole>()
      .length(10)
      .comment('member; admin, who also manages members; or owner, who can also delete the organization.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  indexes: [{ name: 'idx_memberships_user_id', properties: ['user', 'organization'] }],
  checks: [{ name: 'chk_memberships_role', expression: `role in ('owner', 'admin', 'member')` }],
  triggers: [
    updatedAtTrigger,
    {
      name: 'keep_owner',
      timing: 'after',
      events: ['update', 'delete'],
      forEach: 'row',
      body: `if old.role = 'owner' then perform quoin_keep_owner(old.organization_id); end if; return null;`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    // In a user's unit of work, the user sees their memberships.
    appPolicy('memberships', 'owner', { command: 'select', using: 'user_id = (select quoin_user_id())' }),
    appPolicy('memberships', 'members', { command: 'select', using: `organization_id = ${currentOrganization}` }),
    appPolicy('memberships', 'admins', {
      command: 'update',
      using: `organization_id = ${currentOrganization} and ${mayGrant}`,
      check: `organization_id = ${currentOrganization} and ${mayGrant}`,
    }),
    appPolicy('memberships', 'leave', {
      command: 'delete',
      using: `organization_id = ${currentOrganization} and (${mayGrant} or user_id = (select quoin_member_id()))`,
    }),
    systemPolicy('memberships'),
  ],
});
