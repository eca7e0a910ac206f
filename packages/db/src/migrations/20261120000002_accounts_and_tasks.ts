// Accounts and tasks
//
// Old code keeps working: there is none before this.
//
// The grants at the end of `up` are written by hand. Of an account, its owner may change only what is listed: not is_admin, not is_active.

export const up = `
create table "users" ("id" uuid not null, "email" varchar(255) not null, "username" varchar(50) null, "password_hash" varchar(255) not null, "full_name" varchar(255) null, "is_active" boolean not null default true, "is_admin" boolean not null default false, "email_verified_at" timestamptz null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));
comment on table "users" is 'Accounts: who may sign in, and with what.';
comment on column "users"."id" is 'UUID v7, made by the application.';
comment on column "users"."email" is 'Stored trimmed and in lower case; unique without regard to case.';
comment on column "users"."username" is 'A second name to sign in with; unique without regard to case.';
comment on column "users"."password_hash" is 'Argon2id in PHC format, parameters included. Never leaves the server.';
comment on column "users"."full_name" is 'What the person is called; shown as it was entered.';
comment on column "users"."is_active" is 'False: may not sign in, and every session is over.';
comment on column "users"."is_admin" is 'May manage all accounts.';
comment on column "users"."email_verified_at" is 'When the owner proved to read this mailbox; null after a change of email.';
comment on column "users"."created_at" is 'When the row was inserted.';
comment on column "users"."updated_at" is 'When the row was last changed; kept by a trigger, so that plain SQL keeps it too.';
create unique index "idx_users_email" on "users" (lower(email));
create unique index "idx_users_username" on "users" (lower(username));

create table "tasks" ("id" uuid not null, "user_id" uuid not null, "title" varchar(200) not null, "description" text null, "is_completed" boolean not null default false, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));
comment on table "tasks" is 'What a user has to do.';
comment on column "tasks"."id" is 'UUID v7, made by the application.';
comment on column "tasks"."user_id" is 'Whose task it is.';
comment on column "tasks"."title" is 'What is to be done; never blank.';
comment on column "tasks"."description" is 'Anything more to say about it.';
comment on column "tasks"."is_completed" is 'Whether it is done.';
comment on column "tasks"."created_at" is 'When the row was inserted.';
comment on column "tasks"."updated_at" is 'When the row was last changed; kept by a trigger, so that plain SQL keeps it too.';
create index "idx_tasks_user_id" on "tasks" ("user_id", "id");
create index "idx_tasks_user_id_created_at" on "tasks" ("user_id", "created_at");

create table "user_preferences" ("user_id" uuid not null, "theme" varchar(10) not null default 'system', "locale" varchar(85) not null default 'en', "timezone" varchar(64) not null default 'UTC', "email_notifications" boolean not null default true, "settings" jsonb not null default '{}', "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("user_id"));
comment on table "user_preferences" is 'How a user wants the product to look and behave; no row until the first write.';
comment on column "user_preferences"."user_id" is 'Whose preferences they are.';
comment on column "user_preferences"."theme" is 'system, light or dark.';
comment on column "user_preferences"."locale" is 'A BCP 47 language tag.';
comment on column "user_preferences"."timezone" is 'An IANA time zone name.';
comment on column "user_preferences"."email_notifications" is 'Whether the product may send mail that nobody asked for.';
comment on column "user_preferences"."settings" is 'The product''s own settings: any JSON object.';
comment on column "user_preferences"."created_at" is 'When the row was inserted.';
comment on column "user_preferences"."updated_at" is 'When the row was last changed; kept by a trigger, so that plain SQL keeps it too.';

create table "user_sessions" ("id" uuid not null, "user_id" uuid not null, "token_secret" bytea not null, "generation" int not null default 0, "rotated_at" timestamptz null, "user_agent" varchar(255) null, "ip_address" inet null, "created_at" timestamptz not null default now(), "last_used_at" timestamptz not null default now(), "expires_at" timestamptz not null, "revoked_at" timestamptz null, "revoked_reason" varchar(50) null, primary key ("id"));
comment on table "user_sessions" is 'One row per sign-in. Holds nothing from which a token could be made without the secret of the server.';
comment on column "user_sessions"."id" is 'UUID v7, made by the application.';
comment on column "user_sessions"."user_id" is 'Whose session it is.';
comment on column "user_sessions"."token_secret" is '32 random bytes: one half of the key of the refresh tokens; the server has the other.';
comment on column "user_sessions"."generation" is 'Counts refreshes; only the token of the current generation rotates.';
comment on column "user_sessions"."rotated_at" is 'When the generation last moved; the grace window counts from here.';
comment on column "user_sessions"."user_agent" is 'What the client called itself when it signed in, cut to 255.';
comment on column "user_sessions"."ip_address" is 'Where the sign-in came from.';
comment on column "user_sessions"."created_at" is 'When the row was inserted.';
comment on column "user_sessions"."last_used_at" is 'Last request, to within a minute; the inactivity time-out counts from here.';
comment on column "user_sessions"."expires_at" is 'The end of the absolute lifetime, whatever the use.';
comment on column "user_sessions"."revoked_at" is 'When the session was ended; null while it lives.';
comment on column "user_sessions"."revoked_reason" is 'Why it was ended: logout, theft, password_changed, …';
create index "idx_user_sessions_user_id" on "user_sessions" ("user_id");

create or replace function "users_set_updated_at_fn"() returns trigger as \$\$ begin new.updated_at = now(); return new; end; \$\$ language plpgsql;
create trigger "set_updated_at" BEFORE UPDATE on "users" for each ROW execute function "users_set_updated_at_fn"();
alter table "users" enable row level security;
create policy "users_owner" on "users" to "quoin_app" using (id = nullif(current_setting('app.user_id', true), '')::uuid) with check (id = nullif(current_setting('app.user_id', true), '')::uuid);

alter table "tasks" add constraint "fk_tasks_user_id" foreign key ("user_id") references "users" ("id") on delete cascade;
create or replace function "tasks_set_updated_at_fn"() returns trigger as \$\$ begin new.updated_at = now(); return new; end; \$\$ language plpgsql;
create trigger "set_updated_at" BEFORE UPDATE on "tasks" for each ROW execute function "tasks_set_updated_at_fn"();
alter table "tasks" enable row level security;
create policy "tasks_owner" on "tasks" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

alter table "user_preferences" add constraint "fk_user_preferences_user_id" foreign key ("user_id") references "users" ("id") on update no action on delete cascade;
alter table "user_preferences" add constraint "chk_user_preferences_theme" check (theme in ('system', 'light', 'dark'));
create or replace function "user_preferences_set_updated_at_fn"() returns trigger as \$\$ begin new.updated_at = now(); return new; end; \$\$ language plpgsql;
create trigger "set_updated_at" BEFORE UPDATE on "user_preferences" for each ROW execute function "user_preferences_set_updated_at_fn"();
alter table "user_preferences" enable row level security;
create policy "user_preferences_owner" on "user_preferences" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

alter table "user_sessions" add constraint "fk_user_sessions_user_id" foreign key ("user_id") references "users" ("id") on delete cascade;
alter table "user_sessions" enable row level security;
create policy "user_sessions_owner" on "user_sessions" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

grant select, insert, update, delete on "tasks", "user_preferences", "user_sessions" to quoin_app;
grant select, update ("email", "username", "password_hash", "full_name", "email_verified_at") on "users" to quoin_app;
`;

export const down = `
alter table "tasks" drop constraint "fk_tasks_user_id";
alter table "user_preferences" drop constraint "fk_user_preferences_user_id";
alter table "user_sessions" drop constraint "fk_user_sessions_user_id";

drop trigger if exists "set_updated_at" on "users";
drop function if exists "users_set_updated_at_fn"();
drop table if exists "users" cascade;
drop trigger if exists "set_updated_at" on "tasks";
drop function if exists "tasks_set_updated_at_fn"();
drop table if exists "tasks" cascade;
drop trigger if exists "set_updated_at" on "user_preferences";
drop function if exists "user_preferences_set_updated_at_fn"();
drop table if exists "user_preferences" cascade;
drop table if exists "user_sessions" cascade;
`;
