-- Accounts, their sessions, preferences, tokens and mails, and the audit trail.
--
-- Old code keeps working: all tables are new.

create table users (
  id uuid not null primary key,
  email varchar(255) not null,
  username varchar(50),
  password_hash varchar(255),
  full_name varchar(255),
  is_active boolean not null default true,
  is_admin boolean not null default false,
  email_verified_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index idx_users_email on users (lower(email));
create unique index idx_users_username on users (lower(username));
create index idx_users_admins on users (id) where is_admin;

create table user_sessions (
  id uuid not null primary key,
  user_id uuid not null constraint fk_user_sessions_user_id references users (id) on delete cascade,
  token_secret bytea not null,
  generation int not null default 0,
  rotated_at timestamptz,
  rotated_user_agent varchar(255),
  used_generation int not null default 0,
  user_agent varchar(255),
  ip_address inet,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason varchar(50)
)
-- Every use updates a row. With the default of 0.2, a million dead rows of five million would wait for the vacuum, and lists and deletions would read them.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
create index idx_user_sessions_user_id on user_sessions (user_id);
create index idx_user_sessions_expires_at on user_sessions (expires_at);
create index idx_user_sessions_revoked_at on user_sessions (revoked_at) where revoked_at is not null;

create table user_preferences (
  user_id uuid not null primary key constraint fk_user_preferences_user_id references users (id) on delete cascade,
  theme varchar(10) not null default 'system',
  locale varchar(85) not null default 'en',
  timezone varchar(64) not null default 'UTC',
  email_notifications boolean not null default true,
  settings jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint chk_user_preferences_theme check (theme in ('system', 'light', 'dark'))
);

create table one_time_tokens (
  id uuid not null primary key,
  user_id uuid not null constraint fk_one_time_tokens_user_id references users (id) on delete cascade,
  purpose varchar(30) not null,
  token_hash bytea not null constraint idx_one_time_tokens_token_hash unique,
  email varchar(255) not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint idx_one_time_tokens_user_id_purpose unique (user_id, purpose),
  constraint chk_one_time_tokens_purpose check (purpose in ('reset_password', 'verify_email'))
);
create index idx_one_time_tokens_email on one_time_tokens (email);

create table mails (
  id uuid not null primary key,
  kind varchar(30) not null,
  recipient varchar(255) not null,
  user_agent varchar(255),
  ip_address inet,
  request_id varchar(128),
  attempts int not null default 0,
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index idx_mails_next_attempt_at on mails (next_attempt_at);

-- No foreign keys: events outlive the accounts that they are about.
create table audit_events (
  id uuid not null primary key,
  action varchar(50) not null,
  user_id uuid,
  actor_id uuid,
  session_id uuid,
  ip_address inet,
  user_agent varchar(255),
  request_id varchar(128),
  client_request_id varchar(128),
  details jsonb not null default '{}'::jsonb,
  created_at timestamptz not null
);
create index idx_audit_events_user_id on audit_events (user_id, id);
create index idx_audit_events_actor_id on audit_events (actor_id, id);
create index idx_audit_events_ip_address on audit_events (ip_address, id);
create index idx_audit_events_request_id on audit_events (request_id);
create index idx_audit_events_client_request_id on audit_events (client_request_id, id) where client_request_id is not null;

create function users_set_updated_at_fn() returns trigger as $$ begin new.updated_at = now(); return new; end; $$ language plpgsql;
create trigger set_updated_at before update on users for each row execute function users_set_updated_at_fn();
create function user_preferences_set_updated_at_fn() returns trigger as $$ begin new.updated_at = now(); return new; end; $$ language plpgsql;
create trigger set_updated_at before update on user_preferences for each row execute function user_preferences_set_updated_at_fn();

create function audit_events_refuse_change_fn() returns trigger as $$ begin raise exception 'audit_events is append-only'; end; $$ language plpgsql;
create trigger refuse_change before update or delete on audit_events for each statement execute function audit_events_refuse_change_fn();
-- Not in the entity: MikroORM does not see triggers on truncate.
create trigger refuse_truncate before truncate on audit_events for each statement execute function audit_events_refuse_change_fn();

alter table users enable row level security, force row level security;
alter table user_sessions enable row level security, force row level security;
alter table user_preferences enable row level security, force row level security;
alter table one_time_tokens enable row level security, force row level security;
alter table mails enable row level security, force row level security;
alter table audit_events enable row level security, force row level security;

create policy users_owner on users to quoin_app
  using (id = (select quoin_user_id())) with check (id = (select quoin_user_id()));
create policy user_sessions_owner on user_sessions to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy user_preferences_owner on user_preferences to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy one_time_tokens_owner on one_time_tokens to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy audit_events_owner on audit_events to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
-- A user's unit of work can send mail to that user only.
create policy mails_owner on mails for insert to quoin_app
  with check (recipient = (select email from users where id = (select quoin_user_id())));

create policy users_system on users to quoin_system using (true) with check (true);
create policy user_sessions_system on user_sessions to quoin_system using (true) with check (true);
create policy user_preferences_system on user_preferences to quoin_system using (true) with check (true);
create policy one_time_tokens_system on one_time_tokens to quoin_system using (true) with check (true);
create policy mails_system on mails to quoin_system using (true) with check (true);
create policy audit_events_system on audit_events to quoin_system using (true) with check (true);

-- Not is_admin, not is_active, and no delete: admins and services with more checks do that.
grant select, update (email, email_verified_at, full_name, password_hash, username) on users to quoin_app;
grant select, insert, update, delete on user_sessions, user_preferences to quoin_app;
grant select, delete on one_time_tokens to quoin_app;
grant insert on mails to quoin_app;
grant select, insert on audit_events to quoin_app;
grant select, insert, update, delete on users, user_sessions, user_preferences, one_time_tokens, mails to quoin_system;
grant select, insert on audit_events to quoin_system;
-- For the readiness check.
grant select on schema_migrations to quoin_system;

comment on column users.id is 'UUID v7, generated by the application.';
comment on column users.email is 'Stored trimmed and in lower case; unique regardless of case.';
comment on column users.username is 'An alternative sign-in name; unique regardless of case.';
comment on column users.password_hash is 'Argon2id in PHC format, including its parameters. Null: the account has no password. Never sent to a client.';
comment on column users.full_name is 'Display name, stored as entered.';
comment on column users.is_active is 'If false, the user cannot sign in and has no sessions.';
comment on column users.is_admin is 'If true, the user can manage all accounts.';
comment on column users.email_verified_at is 'When the user proved to receive mail at this address. Reset when the address changes.';
comment on column users.created_at is 'When the row was inserted.';
comment on column users.updated_at is 'When the row was last updated. A trigger maintains it.';
comment on table users is 'Accounts.';

comment on column user_sessions.id is 'UUID v7, generated by the application.';
comment on column user_sessions.user_id is 'The signed-in user.';
comment on column user_sessions.token_secret is '32 random bytes from which, together with SECRET_KEY, refresh tokens are derived.';
comment on column user_sessions.generation is 'Number of refreshes. Only the token of this generation rotates.';
comment on column user_sessions.rotated_at is 'When the generation last increased. The grace period starts here.';
comment on column user_sessions.rotated_user_agent is 'User-Agent of the client that refreshed last. Only this client can use the previous token.';
comment on column user_sessions.used_generation is 'Latest generation whose access token was used, so its response reached the client.';
comment on column user_sessions.user_agent is 'User-Agent at sign-in, cut to 255 characters.';
comment on column user_sessions.ip_address is 'Client address at sign-in.';
comment on column user_sessions.created_at is 'When the row was inserted.';
comment on column user_sessions.last_used_at is 'Time of the last request, to the minute. The inactivity timeout starts here.';
comment on column user_sessions.expires_at is 'End of the absolute lifetime.';
comment on column user_sessions.revoked_at is 'When the session was revoked; null while it is not.';
comment on column user_sessions.revoked_reason is 'Why the session was revoked: logout, theft, password_changed, …';
comment on table user_sessions is 'Sessions: one per sign-in. A refresh token cannot be derived from a row without SECRET_KEY.';

comment on column user_preferences.user_id is 'The user.';
comment on column user_preferences.theme is 'system, light or dark.';
comment on column user_preferences.locale is 'BCP 47 language tag.';
comment on column user_preferences.timezone is 'IANA time zone name.';
comment on column user_preferences.email_notifications is 'Whether the product may send mail that the user did not request.';
comment on column user_preferences.settings is 'Settings of the product: a JSON object.';
comment on column user_preferences.created_at is 'When the row was inserted.';
comment on column user_preferences.updated_at is 'When the row was last updated. A trigger maintains it.';
comment on table user_preferences is 'Preferences of a user. The row is inserted by the first write.';

comment on column one_time_tokens.id is 'UUID v7, generated by the application.';
comment on column one_time_tokens.user_id is 'The account that the token is for.';
comment on column one_time_tokens.purpose is 'reset_password or verify_email.';
comment on column one_time_tokens.token_hash is 'SHA-256 of the token, which has 256 random bits.';
comment on column one_time_tokens.email is 'Address that the token was sent to. The token is void if the account has another one.';
comment on column one_time_tokens.created_at is 'When the row was inserted.';
comment on column one_time_tokens.expires_at is 'When the token expires.';
comment on table one_time_tokens is 'Tokens of links in mails: one per user and purpose, deleted when used. Only hashes are stored.';

comment on column mails.id is 'UUID v7, generated by the application.';
comment on column mails.kind is 'Which message to send: reset_password, verify_email, …';
comment on column mails.recipient is 'Email address of the recipient.';
comment on column mails.user_agent is 'User-Agent of the request that caused the mail.';
comment on column mails.ip_address is 'Client address of that request.';
comment on column mails.request_id is 'X-Request-Id of that request.';
comment on column mails.attempts is 'Number of attempts to send it.';
comment on column mails.next_attempt_at is 'When to try next. While a process sends the mail: when another process may take over.';
comment on column mails.created_at is 'When the row was inserted.';
comment on column mails.expires_at is 'After this time the mail is useless and is dropped.';
comment on table mails is 'Outbox: mails to send. A row is inserted in the transaction of its cause and deleted when the mail is sent. It contains no token.';

comment on column audit_events.id is 'UUID v7, generated by the application.';
comment on column audit_events.action is 'What happened: signed_in, password_changed, …';
comment on column audit_events.user_id is 'Id of the account that the event concerns; null if no account matched.';
comment on column audit_events.actor_id is 'The user who acted; null for a command and for an anonymous client.';
comment on column audit_events.session_id is 'The session in which the actor acted, or that was ended.';
comment on column audit_events.ip_address is 'Client address of the request.';
comment on column audit_events.user_agent is 'User-Agent of the request, cut to 255 characters.';
comment on column audit_events.request_id is 'Request id that the server assigned; null for a command.';
comment on column audit_events.client_request_id is 'X-Request-Id that the client sent.';
comment on column audit_events.details is 'More facts, by action. Never a secret.';
comment on column audit_events.created_at is 'When it happened: the time in the id.';
comment on table audit_events is 'Audit trail of accounts. Append-only: triggers refuse to change or delete rows.';
