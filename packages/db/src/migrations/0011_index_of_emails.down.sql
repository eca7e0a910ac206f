drop index if exists idx_users_email_trigrams;
