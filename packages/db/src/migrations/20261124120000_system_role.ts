// The role of units of work that must see every row
//
// Old code keeps working: it does not know the role. The role that connects to the database may be a member of this one instead of the owner of the
// tables (scripts/roles.sql): then it cannot change the schema, and cannot empty the audit trail.
//
// A role belongs to the server, not to a database, so `down` leaves it: another database may need it.

export const up = `
do \$\$
begin
  if to_regrole('quoin_system') is null then
    create role quoin_system nologin;
  end if;
exception
  when duplicate_object or unique_violation then
    null; -- another database's migration has just made it
  when insufficient_privilege then
    raise exception 'the role % may not create roles', current_user
      using hint = 'As an administrator of the server run: create role quoin_system nologin';
end
\$\$;
`;

export const down = `
select 1;
`;
