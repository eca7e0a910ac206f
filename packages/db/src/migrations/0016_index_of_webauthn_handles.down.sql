-- transaction: none
drop index concurrently idx_users_webauthn_handle;
