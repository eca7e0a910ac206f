-- Sessions and one-time tokens are found by their user, so that their rows can lie where the user's other rows lie.
--
-- Old code keeps working, but it finds sessions and tokens by scanning the tables. On a big database, stop it first.
alter table user_sessions
  drop constraint user_sessions_pkey,
  add constraint user_sessions_pkey primary key using index idx_user_sessions_user_id_id;
drop index idx_user_sessions_user_id;
-- Signing in begins sessions, as quoin_system.
revoke insert, delete on user_sessions from quoin_app;

-- The table is small: it has at most two tokens per user, and they expire within a day.
alter table one_time_tokens
  drop constraint one_time_tokens_pkey,
  add constraint one_time_tokens_pkey primary key (user_id, id),
  drop constraint idx_one_time_tokens_token_hash;
comment on column one_time_tokens.token_hash is 'SHA-256 of the token, which has the user’s id and 256 random bits.';
