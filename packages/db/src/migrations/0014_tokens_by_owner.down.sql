alter table one_time_tokens
  drop constraint one_time_tokens_pkey,
  add constraint one_time_tokens_pkey primary key (id),
  add constraint idx_one_time_tokens_token_hash unique (token_hash);
comment on column one_time_tokens.token_hash is 'SHA-256 of the token, which has 256 random bits.';

grant insert, delete on user_sessions to quoin_app;
create index idx_user_sessions_user_id on user_sessions (user_id);
alter table user_sessions
  drop constraint user_sessions_pkey,
  add constraint user_sessions_pkey primary key (id);
-- The index that the previous migration created.
create unique index idx_user_sessions_user_id_id on user_sessions (user_id, id);
