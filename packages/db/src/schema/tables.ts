// Generated from the migrations by `npm run db -- types`. Do not edit.

import type { ColumnType, Generated, Selectable } from 'kysely';
import type {
  AuditAction,
  AuthenticationMethod,
  ChallengePurpose,
  OrganizationRole,
  RevokedReason,
  Theme,
  TokenPurpose,
  UserKind,
} from './values.ts';
import type { Vector } from './vector.ts';

/** The tables as Kysely sees them. */
export interface Tables {
  account_export_parts: AccountExportPartTable;
  account_exports: AccountExportTable;
  api_keys: ApiKeyTable;
  audit_events: AuditEventTable;
  challenges: ChallengeTable;
  documents: DocumentTable;
  idempotency_keys: IdempotencyKeyTable;
  identities: IdentityTable;
  incoming_webhooks: IncomingWebhookTable;
  invitations: InvitationTable;
  known_clients: KnownClientTable;
  memberships: MembershipTable;
  one_time_tokens: OneTimeTokenTable;
  organization_documents: OrganizationDocumentTable;
  organizations: OrganizationTable;
  passkeys: PasskeyTable;
  recovery_codes: RecoveryCodeTable;
  tasks: TaskTable;
  totps: TotpTable;
  user_preferences: UserPreferencesTable;
  user_sessions: UserSessionTable;
  users: UserTable;
  webhook_endpoints: WebhookEndpointTable;
}

interface AccountExportPartTable {
  user_id: string;
  export_id: string;
  attempt_id: string;
  number: number;
  table_name: string;
  content: string;
}
export type AccountExportPart = Selectable<AccountExportPartTable>;

interface AccountExportTable {
  user_id: string;
  id: string;
  created_at: Generated<Date>;
  completed_at: Date | null;
  attempt_id: string | null;
  parts: number | null;
  expires_at: Date;
}
export type AccountExport = Selectable<AccountExportTable>;

interface ApiKeyTable {
  user_id: string;
  id: string;
  name: string;
  secret_hash: Uint8Array;
  scopes: string[];
  last_used_at: Date | null;
  warned_at: Date | null;
  created_at: Generated<Date>;
  expires_at: Date;
  organization_id: string | null;
}
export type ApiKey = Selectable<ApiKeyTable>;

interface AuditEventTable {
  id: string;
  action: AuditAction;
  user_id: string | null;
  actor_id: string | null;
  session_id: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  client_request_id: string | null;
  details: Generated<Record<string, unknown>>;
  created_at: Date;
  organization_id: string | null;
}
export type AuditEvent = Selectable<AuditEventTable>;

interface ChallengeTable {
  token_hash: Uint8Array;
  purpose: ChallengePurpose;
  user_id: string | null;
  email: string | null;
  data: Generated<Record<string, unknown>>;
  attempts: Generated<number>;
  created_at: Generated<Date>;
  expires_at: Date;
}
export type Challenge = Selectable<ChallengeTable>;

interface DocumentTable {
  user_id: string;
  id: string;
  title: string;
  content: string;
  metadata: Generated<Record<string, unknown>>;
  embedding: Vector | null;
  embedding_model: string | null;
  search: ColumnType<string | null, never, never>;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type Document = Selectable<DocumentTable>;

interface IdempotencyKeyTable {
  user_id: string;
  key_hash: Uint8Array;
  fingerprint: Uint8Array;
  status: number;
  headers: Record<string, unknown>;
  body: string | null;
  created_at: Generated<Date>;
}
export type IdempotencyKey = Selectable<IdempotencyKeyTable>;

interface IdentityTable {
  user_id: string;
  id: string;
  provider: string;
  issuer: string;
  subject: string;
  email: string | null;
  last_used_at: Date | null;
  created_at: Generated<Date>;
}
export type Identity = Selectable<IdentityTable>;

interface IncomingWebhookTable {
  source: string;
  message_id: string;
  received_at: Generated<Date>;
}
export type IncomingWebhook = Selectable<IncomingWebhookTable>;

interface InvitationTable {
  organization_id: string;
  id: string;
  invited_by: string;
  email: string;
  role: OrganizationRole;
  token_hash: Uint8Array | null;
  created_at: Generated<Date>;
  expires_at: Date;
}
export type Invitation = Selectable<InvitationTable>;

interface KnownClientTable {
  user_id: string;
  fingerprint: Uint8Array;
  created_at: Generated<Date>;
  last_used_at: Generated<Date>;
}
export type KnownClient = Selectable<KnownClientTable>;

interface MembershipTable {
  organization_id: string;
  user_id: string;
  role: OrganizationRole;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type Membership = Selectable<MembershipTable>;

interface OneTimeTokenTable {
  id: string;
  user_id: string;
  purpose: TokenPurpose;
  token_hash: Uint8Array;
  email: string;
  created_at: Generated<Date>;
  expires_at: Date;
}
export type OneTimeToken = Selectable<OneTimeTokenTable>;

interface OrganizationDocumentTable {
  organization_id: string;
  id: string;
  title: string;
  content: string;
  metadata: Generated<Record<string, unknown>>;
  embedding: Vector | null;
  embedding_model: string | null;
  search: ColumnType<string | null, never, never>;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type OrganizationDocument = Selectable<OrganizationDocumentTable>;

interface OrganizationTable {
  id: string;
  name: string;
  slug: string | null;
  deleted_at: Date | null;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type Organization = Selectable<OrganizationTable>;

interface PasskeyTable {
  user_id: string;
  id: string;
  name: string;
  credential_id: Uint8Array;
  public_key: Uint8Array;
  counter: string;
  transports: string[];
  is_device_bound: boolean;
  is_backed_up: boolean;
  last_used_at: Date | null;
  created_at: Generated<Date>;
}
export type Passkey = Selectable<PasskeyTable>;

interface RecoveryCodeTable {
  user_id: string;
  code_hash: Uint8Array;
  created_at: Generated<Date>;
}
export type RecoveryCode = Selectable<RecoveryCodeTable>;

interface TaskTable {
  user_id: string;
  id: string;
  title: string;
  description: string | null;
  is_completed: Generated<boolean>;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type Task = Selectable<TaskTable>;

interface TotpTable {
  user_id: string;
  secret: Uint8Array | null;
  pending_secret: Uint8Array | null;
  pending_session_id: string | null;
  pending_until: Date | null;
  last_step: Generated<string>;
  created_at: Generated<Date>;
}
export type Totp = Selectable<TotpTable>;

interface UserPreferencesTable {
  user_id: string;
  theme: Generated<Theme>;
  locale: Generated<string>;
  timezone: Generated<string>;
  email_notifications: Generated<boolean>;
  settings: Generated<Record<string, unknown>>;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
export type UserPreferences = Selectable<UserPreferencesTable>;

interface UserSessionTable {
  id: string;
  user_id: string;
  token_secret: Uint8Array;
  generation: Generated<number>;
  rotated_at: Date | null;
  rotated_user_agent: string | null;
  used_generation: Generated<number>;
  user_agent: string | null;
  ip_address: string | null;
  created_at: Generated<Date>;
  last_used_at: Generated<Date>;
  expires_at: Date;
  revoked_at: Date | null;
  revoked_reason: RevokedReason | null;
  methods: Generated<AuthenticationMethod[]>;
  authenticated_at: Date | null;
}
export type UserSession = Selectable<UserSessionTable>;

interface UserTable {
  id: string;
  email: string;
  username: string | null;
  password_hash: string | null;
  full_name: string | null;
  is_active: Generated<boolean>;
  is_admin: Generated<boolean>;
  email_verified_at: Date | null;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
  deleted_at: Date | null;
  webauthn_handle: Uint8Array | null;
  kind: Generated<UserKind>;
  deletion_due_at: Date | null;
}
export type User = Selectable<UserTable>;

interface WebhookEndpointTable {
  user_id: string;
  id: string;
  url: string;
  event_types: string[];
  secret: Uint8Array;
  previous_secret: Uint8Array | null;
  previous_secret_until: Date | null;
  delivered_at: Date | null;
  disabled_at: Date | null;
  created_at: Generated<Date>;
}
export type WebhookEndpoint = Selectable<WebhookEndpointTable>;
