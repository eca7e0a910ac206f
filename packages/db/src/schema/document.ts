import { defineEntity, p } from '@mikro-orm/core';
import { ownedBy } from './columns.ts';
import { documentColumns, documentRules } from './document-columns.ts';
import { UserSchema } from './user.ts';

export const DocumentSchema = defineEntity({
  name: 'Document',
  tableName: 'documents',
  comment: 'Texts of a user, searchable by words and by meaning.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_documents_user_id')
        .comment('The owner.'),
    ...documentColumns(),
  },
  ...documentRules('documents', 'user_id'),
  ...ownedBy('documents', 'user_id'),
});
