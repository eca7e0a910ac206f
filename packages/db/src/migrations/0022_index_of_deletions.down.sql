drop index if exists idx_users_deletion_due_at;
