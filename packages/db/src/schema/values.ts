// Values of columns that are a closed set, and the defaults of columns: shared by the entities, the generated table types and the repositories.

/** Actions of audit events. docs/security.md says when each is recorded and what its `details` contain. */
export const auditActions = [
  'account_created',
  'account_changed',
  'account_deleted',
  'account_erased',
  'api_key_created',
  'api_key_revoked',
  'audit_events_pruned',
  'deletion_cancelled',
  'deletion_requested',
  'email_changed',
  'email_code_requested',
  'email_verified',
  'export_requested',
  'factors_removed',
  'identity_linked',
  'identity_unlinked',
  'job_discarded',
  'job_retried',
  'invitation_accepted',
  'invitation_created',
  'invitation_revoked',
  'member_left',
  'member_removed',
  'member_role_changed',
  'mfa_required',
  'organization_changed',
  'organization_created',
  'organization_deleted',
  'passkey_added',
  'passkey_counter_fell',
  'passkey_removed',
  'password_changed',
  'password_reset',
  'password_reset_requested',
  'password_voided',
  'reauthenticated',
  'reauthentication_failed',
  'recovery_codes_replaced',
  'refresh_token_reused',
  'refresh_token_stolen',
  'session_ended',
  'sessions_ended',
  'sign_in_failed',
  'signed_in',
  'signed_out',
  'totp_added',
  'totp_removed',
  'username_changed',
  'webhook_endpoint_created',
  'webhook_endpoint_changed',
  'webhook_endpoint_deleted',
  'webhook_endpoint_disabled',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** What a row of `challenges` waits for. */
export type ChallengePurpose =
  | 'mfa'
  | 'email_code'
  | 'passkey_registration'
  | 'passkey_sign_in'
  | 'provider_state'
  | 'provider_exchange';

/**
 * How a user proved who they are. The names of RFC 8176, and three of our own: `email`, a code or link from a mail, `recovery`, a recovery code, and `ext`, a sign-in
 * provider. `hwk` is a passkey that
 * cannot leave its device, and `swk` one that can.
 */
export type AuthenticationMethod = 'pwd' | 'otp' | 'email' | 'recovery' | 'ext' | 'hwk' | 'swk' | 'mfa';

/** Service accounts are for programs: they have API keys, no password, and cannot sign in. */
export const userKinds = ['person', 'service'] as const;
export type UserKind = (typeof userKinds)[number];

/** Roles in an organization, from the one that may do most. */
export const organizationRoles = ['owner', 'admin', 'member'] as const;
export type OrganizationRole = (typeof organizationRoles)[number];

export type TokenPurpose = 'reset_password' | 'verify_email';

/** Why a session was revoked. */
export type RevokedReason =
  | 'logout'
  | 'logout_all'
  | 'ended_by_user'
  | 'ended_by_admin'
  | 'ended_by_operator'
  | 'theft'
  | 'password_changed'
  | 'email_verified'
  | 'deactivated'
  | 'deletion_requested'
  | 'factors_changed';

export type Theme = 'system' | 'light' | 'dark';

/** The preferences of a user who has not saved any. The columns have the same defaults. */
export const defaultPreferences = {
  theme: 'system' as Theme,
  locale: 'en',
  timezone: 'UTC',
  email_notifications: true,
  settings: {} as Record<string, unknown>,
};
