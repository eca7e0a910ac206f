import { Type } from '@fastify/type-provider-typebox';
import { closed, Id, oneOf, Timestamp } from '../http/schema.ts';

export const AccountExport = closed(
  {
    id: Id('Id of the export.'),
    state: oneOf(['pending', 'complete'], { description: 'Whether the archive is complete.', examples: ['pending'] }),
    created_at: Timestamp('When the export was requested.'),
    expires_at: Timestamp('When the archive is deleted.'),
  },
  { title: 'AccountExport' },
);

export const ExportArchive = Type.Object(
  {
    user_id: Id('The user whose rows these are.'),
    exported_at: Timestamp('When the export was requested.'),
    tables: Type.Unsafe<Record<string, Record<string, unknown>[]>>({
      type: 'object',
      additionalProperties: { type: 'array', items: { type: 'object', additionalProperties: true } },
      description: 'The rows by table. Secrets, and what is computed from other columns, are left out.',
      examples: [{ tasks: [{ title: 'Buy milk' }] }],
    }),
  },
  { title: 'ExportArchive' },
);

export const ExportParams = closed({ export_id: Id('Id of the export.') });
