-- Trigrams, to find emails by a part of them. The extension belongs to PostgreSQL's own packages, and the owner of a database may create it.
--
-- Old code keeps working: it does not use the extension.

do $$
begin
  create extension if not exists pg_trgm;
exception
  when insufficient_privilege then
    raise exception 'the role % may not create the extension pg_trgm', current_user
      using hint = format('As an administrator of the server run in the database %I: create extension pg_trgm', current_database());
  when undefined_file or feature_not_supported then
    raise exception 'the extension pg_trgm is not installed on the server'
      using hint = 'Install the contrib modules of PostgreSQL; in Debian they are part of the server, elsewhere the package is postgresql-contrib';
end
$$;
