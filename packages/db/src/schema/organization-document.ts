import { defineEntity, p } from '@mikro-orm/core';
import { ownedByOrganization } from './columns.ts';
import { documentColumns, documentRules } from './document-columns.ts';
import { OrganizationSchema } from './organization.ts';

export const OrganizationDocumentSchema = defineEntity({
  name: 'OrganizationDocument',
  tableName: 'organization_documents',
  comment: 'Texts of an organization, searchable by words and by meaning.',
  properties: {
    organization: () =>
      p
        .manyToOne(OrganizationSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_organization_documents_organization_id')
        .comment('The organization.'),
    ...documentColumns(),
  },
  ...documentRules('organization_documents', 'organization_id'),
  ...ownedByOrganization('organization_documents'),
});
