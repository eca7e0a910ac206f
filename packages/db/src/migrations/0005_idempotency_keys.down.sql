create or replace function users_set_updated_at_fn() returns trigger as $$ begin new.updated_at = now(); return new; end; $$ language plpgsql;
create or replace function tasks_set_updated_at_fn() returns trigger as $$ begin new.updated_at = now(); return new; end; $$ language plpgsql;
create or replace function documents_set_updated_at_fn() returns trigger as $$ begin if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) then new.updated_at = now(); end if; return new; end; $$ language plpgsql;
create or replace function user_preferences_set_updated_at_fn() returns trigger as $$ begin new.updated_at = now(); return new; end; $$ language plpgsql;

drop table idempotency_keys;
