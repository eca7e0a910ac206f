-- The policy of mails calls a function instead of reading users itself: Citus accepts no subquery in it.
--
-- Old code keeps working: the policy allows the same rows.

create function quoin_user_email() returns text
language plpgsql stable
set search_path = public, pg_temp
as $$ begin return (select email from users where id = quoin_user_id()); end; $$;

alter policy mails_owner on mails with check (recipient = (select quoin_user_email()));
