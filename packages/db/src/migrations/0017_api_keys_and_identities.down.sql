-- Without their kind, service accounts would be people, who can ask for a password.
set local role quoin_system;
update users set is_active = false where kind = 'service';
reset role;

drop table identities, api_keys;
comment on column challenges.purpose is 'mfa, email_code, passkey_registration or passkey_sign_in.';
comment on column user_sessions.methods is 'How the user proved who they are (RFC 8176): pwd, otp, email, hwk, swk, recovery, mfa.';
alter table users drop column kind;
