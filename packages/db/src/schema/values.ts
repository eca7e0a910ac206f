// Values of columns that are a closed set, and the defaults of columns: shared by the entities, the generated table types and the repositories.

/** Actions of audit events. docs/security.md says when each is recorded and what its `details` contain. */
export const auditActions = [
  'account_created',
  'account_changed',
  'account_deleted',
  'audit_events_pruned',
  'email_changed',
  'email_verified',
  'password_changed',
  'password_reset',
  'password_reset_requested',
  'password_voided',
  'reauthentication_failed',
  'refresh_token_reused',
  'refresh_token_stolen',
  'session_ended',
  'sessions_ended',
  'sign_in_failed',
  'signed_in',
  'signed_out',
  'username_changed',
] as const;
export type AuditAction = (typeof auditActions)[number];

export type MailKind =
  | 'reset_password'
  | 'set_password'
  | 'verify_email'
  | 'password_changed'
  | 'email_changed'
  | 'username_changed';

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
  | 'deactivated';

export type Theme = 'system' | 'light' | 'dark';

/** The preferences of a user who has not saved any. The columns have the same defaults. */
export const defaultPreferences = {
  theme: 'system' as Theme,
  locale: 'en',
  timezone: 'UTC',
  email_notifications: true,
  settings: {} as Record<string, unknown>,
};
