-- Answers to requests with an Idempotency-Key, and versions of rows for ETag.
--
-- Old code keeps working: it does not use the new table, and reads and writes updated_at as before.

create table idempotency_keys (
  user_id uuid not null constraint fk_idempotency_keys_user_id references users (id) on delete cascade,
  key_hash bytea not null,
  fingerprint bytea not null,
  status smallint not null,
  headers jsonb not null,
  body text,
  created_at timestamptz not null default now(),
  primary key (user_id, key_hash)
);
create index idx_idempotency_keys_created_at on idempotency_keys (created_at);

alter table idempotency_keys enable row level security, force row level security;
create policy idempotency_keys_owner on idempotency_keys to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy idempotency_keys_system on idempotency_keys to quoin_system using (true) with check (true);
grant select, insert, update, delete on idempotency_keys to quoin_system;

-- Two changes within one microsecond have different versions.
create or replace function users_set_updated_at_fn() returns trigger as $$ begin new.updated_at = greatest(now(), old.updated_at + interval '1 microsecond'); return new; end; $$ language plpgsql;
create or replace function tasks_set_updated_at_fn() returns trigger as $$ begin new.updated_at = greatest(now(), old.updated_at + interval '1 microsecond'); return new; end; $$ language plpgsql;
create or replace function documents_set_updated_at_fn() returns trigger as $$ begin if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) or (new.embedding is distinct from old.embedding and new.embedding_model is null) then new.updated_at = greatest(now(), old.updated_at + interval '1 microsecond'); end if; return new; end; $$ language plpgsql;
create or replace function user_preferences_set_updated_at_fn() returns trigger as $$ begin new.updated_at = greatest(now(), old.updated_at + interval '1 microsecond'); return new; end; $$ language plpgsql;

comment on column idempotency_keys.user_id is 'The caller.';
comment on column idempotency_keys.key_hash is 'SHA-256 of the key.';
comment on column idempotency_keys.fingerprint is 'HMAC of the method, path and body. Keyed, because a body can contain a password.';
comment on column idempotency_keys.status is 'Status of the answer.';
comment on column idempotency_keys.headers is 'Headers of the answer that belong to its content.';
comment on column idempotency_keys.body is 'Body of the answer; null if it has none.';
comment on column idempotency_keys.created_at is 'When the row was inserted.';
comment on table idempotency_keys is 'Answers to requests with an Idempotency-Key, inserted in the transaction of their effect and kept for a day.';
