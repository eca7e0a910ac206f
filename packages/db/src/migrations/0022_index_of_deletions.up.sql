-- transaction: none
-- Finds accounts whose deletion is due.
--
-- Old code keeps working: an index changes no result.

create index concurrently idx_users_deletion_due_at on users (deletion_due_at) where deletion_due_at is not null;
