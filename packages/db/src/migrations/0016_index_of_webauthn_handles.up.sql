-- transaction: none
-- Finds the account of a passkey.
--
-- Old code keeps working: it does not use the column.
create unique index concurrently idx_users_webauthn_handle on users (webauthn_handle);
