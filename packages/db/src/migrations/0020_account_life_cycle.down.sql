drop function quoin_erase_audit_events(uuid, text);
drop table "account_export_parts";
drop table "account_exports";

comment on column "api_keys"."secret_hash" is 'SHA-256 of the secret, which has 256 random bits.';

comment on column "challenges"."token_hash" is 'SHA-256 of the challenge, which has 256 random bits.';
comment on column "challenges"."data" is 'What it was made for, by purpose.';

comment on column "documents"."embedding" is 'Embedding of the text, scaled to length 1; null until there is one.';
comment on column "documents"."search" is 'Lexemes for the keyword search.';

comment on column "idempotency_keys"."key_hash" is 'SHA-256 of the key.';
comment on column "idempotency_keys"."fingerprint" is 'HMAC of the method, path and body. Keyed, because a body can contain a password.';
comment on column "idempotency_keys"."body" is 'Body of the answer; null if it has none.';

comment on column "known_clients"."fingerprint" is 'HMAC of the network and the family of the browser.';

comment on column "one_time_tokens"."token_hash" is 'SHA-256 of the token, which has the user’s id and 256 random bits.';

comment on column "recovery_codes"."code_hash" is 'SHA-256 of the code, which has 120 random bits.';

comment on column "totps"."secret" is 'Secret in force, encrypted with a key derived from SECRET_KEY; null before the first confirmation.';
comment on column "totps"."pending_secret" is 'Secret that waits for its confirmation, encrypted in the same way.';

comment on column "user_sessions"."token_secret" is '32 random bytes from which, together with SECRET_KEY, refresh tokens are derived.';

alter table "users" drop column "deletion_due_at";
comment on column "users"."password_hash" is 'Argon2id in PHC format, including its parameters. Null: the account has no password. Never sent to a client.';
