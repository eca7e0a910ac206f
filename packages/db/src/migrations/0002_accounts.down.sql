revoke select on schema_migrations from quoin_system;
drop table audit_events, mails, one_time_tokens, user_preferences, user_sessions, users;
drop function audit_events_refuse_change_fn(), user_preferences_set_updated_at_fn(), users_set_updated_at_fn();
