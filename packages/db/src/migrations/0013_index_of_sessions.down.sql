-- transaction: none
drop index concurrently idx_user_sessions_user_id_id;
