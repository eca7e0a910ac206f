drop function quoin_enqueue(jsonb);
drop schema pgboss cascade;
