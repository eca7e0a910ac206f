import type { InferKyselyDB } from '@mikro-orm/pglite';
import type { Selectable } from 'kysely';
import type { entities } from './entities.ts';

// biome-ignore lint/complexity/noBannedTypes: InferKyselyDB takes its options as a type, and there are none.
type Inferred = InferKyselyDB<(typeof entities)[number], {}>;

/** The tables as Kysely sees them, inferred from the entities: a column that is none does not compile. */
export type Tables = { [Table in keyof Inferred]: Inferred[Table] };

export type User = Selectable<Tables['users']>;
export type UserSession = Selectable<Tables['user_sessions']>;
export type UserPreferences = Selectable<Tables['user_preferences']>;
export type Task = Selectable<Tables['tasks']>;
export type Document = Selectable<Tables['documents']>;
export type Mail = Selectable<Tables['mails']>;
export type AuditEvent = Selectable<Tables['audit_events']>;
