-- The roles and the extension stay: other databases and schemas may use them.
drop function quoin_user_id();
