drop index if exists idx_users_deleted_at;
