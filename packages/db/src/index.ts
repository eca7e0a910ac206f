export { readSecret } from './cli/secret.ts';
export { connect, defaultDatabaseUrl } from './connect.ts';
export type { Connection, PoolSize } from './connection.ts';
export type {
  Database,
  OrganizationDatabase,
  OwnerDatabase,
  PublicDatabase,
  SharedDatabase,
  SystemDatabase,
  Transactions,
} from './database.ts';
export {
  AlreadyAnswered,
  DatabaseUnavailable,
  isInvalidValue,
  isReferenceViolation,
  isRefusedByPolicy,
  StatementTimeout,
  violatedConstraint,
} from './errors.ts';
export * as drift from './migrate/drift.ts';
export { lockWarnings } from './migrate/lock-warnings.ts';
export * as migrations from './migrate/migrate.ts';
export { newId } from './new-id.ts';
export type { ApiKey } from './repositories/api-keys.ts';
export type { AuditFilter, NewAuditEvent } from './repositories/audit-events.ts';
export type { Caller, CookieKeys, Credential } from './repositories/callers.ts';
export type { DocumentChanges, DocumentSearch, NewDocument, OwnDocument } from './repositories/documents.ts';
export type { Embeddings, Nearest, RowKey, RowText } from './repositories/embeddings.ts';
export type { Trace } from './repositories/erasure.ts';
export type { Factors } from './repositories/factors.ts';
export type { Identity } from './repositories/identities.ts';
export { type Job, type JobFilter, type JobState, jobStates, type NewJob } from './repositories/jobs.ts';
export type { Member } from './repositories/members.ts';
export type { PresentedOneTimeToken } from './repositories/one-time-tokens.ts';
export type { NewOrganization, OrganizationChanges } from './repositories/organizations.ts';
export type { PageRequest } from './repositories/page.ts';
export {
  type EmbeddingName,
  embeddingNames,
  type OrganizationRepositories,
  type OwnerRepositories,
  type PublicRepositories,
  type SharedRepositories,
  type SystemRepositories,
} from './repositories/repositories.ts';
export type { Position, Sort, SortedPageRequest } from './repositories/sorted-page.ts';
export type { TaskChanges, TaskFilter } from './repositories/tasks.ts';
export { type PreferenceChanges, versionOfDefaults } from './repositories/user-preferences.ts';
export type {
  Alive,
  SessionKey,
  SessionUse,
} from './repositories/user-sessions.ts';
export type { NewUser, User, UserChanges, UserFilter } from './repositories/users.ts';
export type { Versions } from './repositories/version.ts';
export type { AuditEvent, Document, Tables, Task, UserPreferences, UserSession } from './schema/tables.ts';
export {
  type AuditAction,
  type AuthenticationMethod,
  auditActions,
  type ChallengePurpose,
  defaultPreferences,
  type OrganizationRole,
  organizationRoles,
  type RevokedReason,
  type TokenPurpose,
  userKinds,
} from './schema/values.ts';
export { embeddingWidth, toUnitVector, Vector } from './schema/vector.ts';
export {
  type Actor,
  type Answer,
  type Idempotency,
  type OrganizationScope,
  type OwnerScope,
  requireSession,
  type Scope,
} from './scope.ts';
