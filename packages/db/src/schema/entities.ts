import { AuditEventSchema } from './audit-event.ts';
import { DocumentSchema } from './document.ts';
import { MailSchema } from './mail.ts';
import { OneTimeTokenSchema } from './one-time-token.ts';
import { TaskSchema } from './task.ts';
import { UserSchema } from './user.ts';
import { UserPreferencesSchema } from './user-preferences.ts';
import { UserSessionSchema } from './user-session.ts';

/**
 * Every entity, for MikroORM: migrations are generated from them, and a service that wants an entity manager can build one.
 * Apart from the package's main export, since loading MikroORM takes longer than everything else together.
 */
export const entities = [
  UserSchema,
  UserSessionSchema,
  UserPreferencesSchema,
  TaskSchema,
  DocumentSchema,
  OneTimeTokenSchema,
  MailSchema,
  AuditEventSchema,
  // Above this line `npm run new -- resource` adds its own.
];
