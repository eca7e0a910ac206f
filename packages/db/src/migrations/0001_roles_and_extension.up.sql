-- Roles, the extension pgvector and the function that policies use.
--
-- quoin_app: the role of a user's unit of work; row level security shows it that user's rows.
-- quoin_system: the role of units of work that need every row. scripts/roles.sql makes the server a member of both.
-- The owner of the tables is a member of both as well, because row level security is forced.
--
-- Old code keeps working: nothing exists before this migration.

do $$
declare
  name text;
begin
  foreach name in array array['quoin_app', 'quoin_system'] loop
    begin
      if to_regrole(name) is null then
        execute format('create role %I nologin', name);
      end if;
    exception
      when duplicate_object or unique_violation then
        null; -- The migration of another database on this server has just created it.
      when insufficient_privilege then
        raise exception 'the role % may not create roles', current_user
          using hint = format('As an administrator of the server run: create role %I nologin; grant %I to %I', name, name, current_user);
    end;
    begin
      begin
        execute format('set local role %I', name);
      exception when insufficient_privilege then
        execute format('grant %I to %I', name, current_user);
      end;
      reset role;
    exception
      when insufficient_privilege then
        raise exception 'the role % may not become %', current_user, name
          using hint = format('As an administrator of the server run: grant %I to %I', name, current_user);
    end;
  end loop;
end
$$;

do $$
begin
  create extension if not exists vector;
exception
  when insufficient_privilege then
    raise exception 'the role % may not create the extension vector', current_user
      using hint = format('As an administrator of the server run in the database %I: create extension vector', current_database());
  when undefined_file or feature_not_supported then
    raise exception 'pgvector is not installed on this server'
      using hint = 'Install it (Debian: postgresql-<version>-pgvector), then run this command again';
end
$$;

-- The user of the unit of work (database.as); null in every other one. Policies call it in a scalar subquery, once per statement.
create function quoin_user_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.user_id', true), '')::uuid;
