-- transaction: none
-- Lists inactive users without reading all the others.
--
-- Old code keeps working: its queries use the index as well.
create index concurrently idx_users_inactive on users (id) where not is_active;
