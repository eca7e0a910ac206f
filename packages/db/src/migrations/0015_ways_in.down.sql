drop table totps, recovery_codes, passkeys, known_clients, challenges;
alter table user_sessions drop column methods, drop column authenticated_at;
alter table users drop column webauthn_handle;
