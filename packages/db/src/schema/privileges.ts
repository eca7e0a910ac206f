import { productPrivileges } from '../product/privileges.ts';

/**
 * What the role of a user's unit of work (`quoin_app`) may do with a table, if not everything; empty: nothing. Row level security decides on which rows.
 * A migration that creates a table grants it; a test compares the live catalogue with it.
 */
export const appPrivileges: Record<string, string> = {
  // Not is_admin, not is_active, and no delete: those are for admins and for services that check more.
  users: 'select, update (email, email_verified_at, full_name, password_hash, username)',
  account_exports: 'select, insert',
  // A job writes them.
  account_export_parts: 'select',
  audit_events: 'select, insert',
  // Answers of an admin's requests about other users.
  idempotency_keys: '',
  // A user ends sessions; signing in begins them.
  user_sessions: 'select, update',
  one_time_tokens: 'select, delete',
  // Services with more checks change these, and read some of them before the user is identified.
  challenges: '',
  totps: '',
  recovery_codes: '',
  passkeys: '',
  known_clients: '',
  identities: '',
  // Only quoin_system inserts memberships: when a user creates an organization or accepts an invitation.
  organizations: 'select, update (deleted_at, name, slug)',
  memberships: 'select, update (role), delete',
  incoming_webhooks: '',
  api_keys: '',
  ...productPrivileges,
};

export const defaultPrivileges = 'select, insert, update, delete';
