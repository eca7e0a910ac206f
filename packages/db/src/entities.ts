import { AuditEventSchema } from './entities/audit-event.ts';
import { DocumentSchema } from './entities/document.ts';
import { MailSchema } from './entities/mail.ts';
import { OneTimeTokenSchema } from './entities/one-time-token.ts';
import { TaskSchema } from './entities/task.ts';
import { UserSchema } from './entities/user.ts';
import { UserPreferencesSchema } from './entities/user-preferences.ts';
import { UserSessionSchema } from './entities/user-session.ts';

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
