drop index if exists idx_users_inactive;
