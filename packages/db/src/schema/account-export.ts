import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, notExported, ownedBy, timestamp } from './columns.ts';
import { UserSchema } from './user.ts';

const owner = (table: string) => () =>
  p.manyToOne(UserSchema).primary().deleteRule('cascade').foreignKeyName(`fk_${table}_user_id`).comment('The owner.');

export const AccountExportSchema = defineEntity({
  name: 'AccountExport',
  tableName: 'account_exports',
  comment: 'Archives of all rows of a user, made by a job.',
  properties: {
    user: owner('account_exports'),
    id: id(),
    created_at: createdAt(),
    completed_at: timestamp().nullable().comment('When the archive was complete; null before.'),
    attempt_id: p.uuid().nullable().comment('The attempt whose parts are the archive; null before it is complete.'),
    parts: p.integer().nullable().comment('Number of parts; null before the archive is complete.'),
    expires_at: timestamp().comment('When the archive is deleted.'),
  },
  indexes: [{ name: 'idx_account_exports_expires_at', properties: ['expires_at'] }],
  ...ownedBy('account_exports', 'user_id'),
});

export const AccountExportPartSchema = defineEntity({
  name: 'AccountExportPart',
  tableName: 'account_export_parts',
  comment: 'Contents of archives, in pieces of bounded size.',
  properties: {
    user: owner('account_export_parts'),
    export_id: p.uuid().primary().comment('The archive.'),
    attempt_id: p.uuid().primary().comment('The attempt that wrote it.'),
    number: p.integer().primary().comment('Place in the archive.'),
    table_name: p.string().length(63).comment('The table whose rows these are.'),
    content: p.text().comment(`Rows as JSON objects, separated by commas. ${notExported}`),
  },
  ...ownedBy('account_export_parts', 'user_id'),
});
