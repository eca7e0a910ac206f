-- Marks accounts that are deleted. Their rows are deleted in batches later.
--
-- Old code keeps working: to it, a marked account is an inactive one.

alter table users add column deleted_at timestamptz;

comment on column users.deleted_at is 'When the account was deleted. A job deletes its rows, and then this one.';
