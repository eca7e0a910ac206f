-- transaction: none
-- Finds sessions by their user and id. The next migration makes it the primary key.
--
-- Old code keeps working: it does not use the index.
create unique index concurrently idx_user_sessions_user_id_id on user_sessions (user_id, id);
