import { defineEntity, p } from '@mikro-orm/core';
import {
  appPolicy,
  createdAt,
  currentOrganization,
  id,
  systemPolicy,
  timestamp,
  updatedAt,
  updatedAtTrigger,
} from './columns.ts';

export const OrganizationSchema = defineEntity({
  name: 'Organization',
  tableName: 'organizations',
  comment: 'Organizations: users work together in them, as their members.',
  properties: {
    id: id(),
    name: p.string().length(100).comment('Display name; not blank.'),
    slug: p.string().length(63).nullable().comment('A name for URLs; unique.'),
    deleted_at: timestamp()
      .nullable()
      .comment('When the organization was deleted. A job deletes its rows, and then this one.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  uniques: [{ name: 'idx_organizations_slug', properties: ['slug'] }],
  indexes: [
    {
      name: 'idx_organizations_deleted_at',
      expression:
        'create index "idx_organizations_deleted_at" on "organizations" ("deleted_at") where deleted_at is not null',
    },
  ],
  triggers: [updatedAtTrigger],
  rowLevelSecurity: 'force',
  policies: [
    appPolicy('organizations', 'members', {
      command: 'select',
      using: `id = ${currentOrganization} or id = any ((select quoin_user_organization_ids())::uuid[])`,
    }),
    appPolicy('organizations', 'admins', {
      command: 'update',
      using: `id = ${currentOrganization} and (select quoin_organization_role()) in ('owner', 'admin')`,
      // Only owners delete it.
      check: `id = ${currentOrganization} and (deleted_at is null or (select quoin_organization_role()) = 'owner')`,
    }),
    systemPolicy('organizations'),
  ],
});
