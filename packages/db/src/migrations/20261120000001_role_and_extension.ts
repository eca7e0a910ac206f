// The role that row level security holds for, and pgvector.
//
// Old code keeps working: nothing it knows of changes.
//
// A role belongs to the server, not to a database, so `down` leaves it: another database may need it. It leaves the extension too,
// which an administrator may have made for other schemas as well.

export const up = `
do $$
begin
  if to_regrole('quoin_app') is null then
    create role quoin_app nologin;
  end if;
exception
  when duplicate_object or unique_violation then
    null; -- another database's migration has just made it
  when insufficient_privilege then
    raise exception 'the role % may not create roles', current_user
      using hint = format('As an administrator of the server run: create role quoin_app nologin; grant quoin_app to %I', current_user);
end
$$;

do $$
begin
  begin
    set local role quoin_app;
  exception when insufficient_privilege then
    execute format('grant quoin_app to %I', current_user);
  end;
  reset role;
exception
  when insufficient_privilege then
    raise exception 'the role % may not become quoin_app', current_user
      using hint = format('As an administrator of the server run: grant quoin_app to %I', current_user);
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
      using hint = 'Install it there (the Debian package is postgresql-<version>-pgvector), then run this again';
end
$$;
`;

export const down = `
select 1;
`;
