-- transaction: none
-- Finds emails by a part of them.
--
-- Old code keeps working: its queries use the index as well.
create index concurrently idx_users_email_trigrams on users using gin (email gin_trgm_ops);
