// Mail, one-time tokens and the audit trail
//
// Old code keeps working: these tables are new to it, and nothing it knows of changes.
//
// The grants are written by hand. A signed-in user's unit of work adds events and mails, and voids tokens; no more.

export const up = `
create table "audit_events" ("id" uuid not null, "action" varchar(50) not null, "user_id" uuid null, "actor_id" uuid null, "session_id" uuid null, "ip_address" inet null, "user_agent" varchar(255) null, "request_id" varchar(128) null, "details" jsonb not null default '{}', "created_at" timestamptz not null, primary key ("id"));
comment on table "audit_events" is 'What happened to accounts, and who did it. Append-only: no row is changed or deleted.';
comment on column "audit_events"."id" is 'UUID v7, made by the application.';
comment on column "audit_events"."action" is 'What happened: signed_in, password_changed, …';
comment on column "audit_events"."user_id" is 'To whose account; null where there is no such account.';
comment on column "audit_events"."actor_id" is 'Who did it, where they were signed in or had just proven who they are.';
comment on column "audit_events"."session_id" is 'The session that it was done in, or done to.';
comment on column "audit_events"."ip_address" is 'Where the request came from.';
comment on column "audit_events"."user_agent" is 'What the client called itself, cut to 255.';
comment on column "audit_events"."request_id" is 'The X-Request-Id of the request; null from a command.';
comment on column "audit_events"."details" is 'More about it, by action. Never a secret.';
comment on column "audit_events"."created_at" is 'When it happened: the time in its id.';
create index "idx_audit_events_user_id" on "audit_events" ("user_id", "id");

create table "mails" ("id" uuid not null, "kind" varchar(30) not null, "recipient" varchar(255) not null, "user_agent" varchar(255) null, "ip_address" inet null, "request_id" varchar(128) null, "attempts" int not null default 0, "next_attempt_at" timestamptz not null default now(), "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("id"));
comment on table "mails" is 'What is to be mailed: written together with its cause, and deleted when it is sent. Says what to write, not the words: no token is in it.';
comment on column "mails"."id" is 'UUID v7, made by the application.';
comment on column "mails"."kind" is 'Which message: reset_password, verify_email, …';
comment on column "mails"."recipient" is 'The address that it goes to.';
comment on column "mails"."user_agent" is 'The client whose request caused it.';
comment on column "mails"."ip_address" is 'Where that request came from.';
comment on column "mails"."request_id" is 'The X-Request-Id of that request.';
comment on column "mails"."attempts" is 'How often sending it has been begun.';
comment on column "mails"."next_attempt_at" is 'When it is tried next; while somebody is sending it, when another one may take over.';
comment on column "mails"."created_at" is 'When the row was inserted.';
comment on column "mails"."expires_at" is 'When it is of no use any more, and given up.';
create index "idx_mails_next_attempt_at" on "mails" ("next_attempt_at");

create table "one_time_tokens" ("id" uuid not null, "user_id" uuid not null, "purpose" varchar(30) not null, "token_hash" bytea not null, "email" varchar(255) not null, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("id"));
comment on table "one_time_tokens" is 'What links in mails carry: one for each user and purpose, gone when it is used. Holds hashes alone.';
comment on column "one_time_tokens"."id" is 'UUID v7, made by the application.';
comment on column "one_time_tokens"."user_id" is 'Whose account it is for.';
comment on column "one_time_tokens"."purpose" is 'reset_password or verify_email.';
comment on column "one_time_tokens"."token_hash" is 'SHA-256 of the token, which has 256 random bits.';
comment on column "one_time_tokens"."email" is 'Where it was sent: good only while the account has this email.';
comment on column "one_time_tokens"."created_at" is 'When the row was inserted.';
comment on column "one_time_tokens"."expires_at" is 'When it is good no more.';
create index "idx_one_time_tokens_email" on "one_time_tokens" ("email");
alter table "one_time_tokens" add constraint "idx_one_time_tokens_user_id_purpose" unique ("user_id", "purpose");
alter table "one_time_tokens" add constraint "idx_one_time_tokens_token_hash" unique ("token_hash");

create or replace function "audit_events_refuse_change_fn"() returns trigger as \$\$ begin raise exception 'audit_events is append-only'; end; \$\$ language plpgsql;
create trigger "refuse_change" BEFORE UPDATE OR DELETE on "audit_events" for each STATEMENT execute function "audit_events_refuse_change_fn"();
alter table "audit_events" enable row level security;
create policy "audit_events_owner" on "audit_events" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

alter table "one_time_tokens" add constraint "fk_one_time_tokens_user_id" foreign key ("user_id") references "users" ("id") on delete cascade;
alter table "one_time_tokens" add constraint "chk_one_time_tokens_purpose" check (purpose in ('reset_password', 'verify_email'));
alter table "one_time_tokens" enable row level security;
create policy "one_time_tokens_owner" on "one_time_tokens" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

grant select, insert on "audit_events" to quoin_app;
grant insert on "mails" to quoin_app;
grant select, delete on "one_time_tokens" to quoin_app;
`;

export const down = `
drop trigger if exists "refuse_change" on "audit_events";
drop function if exists "audit_events_refuse_change_fn"();
drop table if exists "audit_events" cascade;
drop table if exists "mails" cascade;
drop table if exists "one_time_tokens" cascade;
`;
