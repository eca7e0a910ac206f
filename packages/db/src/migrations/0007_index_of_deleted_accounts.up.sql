-- transaction: none
-- Finds the accounts to delete.
--
-- Old code keeps working: it does not use the index.
create index concurrently idx_users_deleted_at on users (deleted_at) where deleted_at is not null;
