-- Creates the roles of a PostgreSQL server that runs Quoin, each with the privileges that it needs. Run it with psql once per database, as an administrator:
--
--   DATABASE_MIGRATOR_PASSWORD=… DATABASE_SERVER_PASSWORD=… psql --dbname=quoin --file=scripts/roles.sql
--
-- Without these variables it reads the passwords from /run/secrets, where the compose file mounts them. It can be run again.
--
--   quoin_owner      owns the database and its tables; cannot sign in
--   quoin_migrator   applies migrations as quoin_owner (DATABASE_URL of npm run db)
--   quoin_server     runs the server (DATABASE_URL of npm start): reads and writes rows, changes no table, and nothing in the audit trail of the last 30 days
--   quoin_app        role of a user's unit of work: row level security shows it that user's rows
--   quoin_public     role of public reads: row level security shows it what everybody may read
--   quoin_system     role of work for all users: row level security shows it every row

\set ON_ERROR_STOP on
\set migrator_password `echo "${DATABASE_MIGRATOR_PASSWORD:-$(cat /run/secrets/database_migrator_password)}"`
\set server_password `echo "${DATABASE_SERVER_PASSWORD:-$(cat /run/secrets/database_password)}"`

select format('create role %I %s', name, option)
from (values
  ('quoin_owner', 'nologin'), ('quoin_app', 'nologin'), ('quoin_public', 'nologin'), ('quoin_system', 'nologin'), ('quoin_migrator', 'login'), ('quoin_server', 'login')
) as roles (name, option)
where to_regrole(name) is null \gexec

alter role quoin_migrator password :'migrator_password';
alter role quoin_server password :'server_password';

grant quoin_app, quoin_public, quoin_system to quoin_owner, quoin_server;
grant quoin_owner to quoin_migrator;

-- An administrator who is not a superuser can make a role the owner of a database only as a member of that role.
grant quoin_owner to current_user;
alter database :"DBNAME" owner to quoin_owner;
revoke all on database :"DBNAME" from public;
grant connect on database :"DBNAME" to quoin_migrator, quoin_server;
-- Objects that a migration creates belong to the owner.
alter role quoin_migrator in database :"DBNAME" set role to quoin_owner;

alter schema public owner to quoin_owner;
revoke create on schema public from public;
-- Creating an extension can require a superuser.
create extension if not exists vector;
