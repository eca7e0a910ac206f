delete from users where deleted_at is not null;
alter table users drop column deleted_at;
