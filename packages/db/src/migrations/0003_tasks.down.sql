drop table tasks;
drop function tasks_set_updated_at_fn();
