-- Waiting mails and deletions become jobs, and the columns and the table that were their queues go. Documents that wait for an embedding get none by this
-- migration, and codes to sign in that wait are not sent: their users ask again. Run `npm run db -- reembed` afterwards.
--
-- Old code stops working, because it uses what is dropped: stop it before this migration. So nobody waits for the locks, which are short.

set local role quoin_system;
select quoin_enqueue(coalesce(jsonb_agg(jsonb_build_object(
  'id', id, 'name', 'send-mail', 'policy', 'singleton', 'priority', 100, 'concurrency_key', recipient, 'retry_limit', 999, 'retry_delay', 5,
  'retry_delay_max', 900, 'expire_seconds', 300, 'heartbeat_seconds', 60, 'deletion_seconds', 1209600, 'data', jsonb_build_object(
    'kind', kind, 'recipient', recipient, 'caused_at', created_at, 'expires_at', expires_at, 'user_agent', user_agent,
    'ip_address', host(ip_address), 'request_id', request_id, 'data', '{}'::jsonb)
)), '[]')) from mails where kind <> 'sign_in_code';
select quoin_enqueue(coalesce(jsonb_agg(jsonb_build_object(
  'id', gen_random_uuid(), 'name', 'delete-account', 'policy', 'standard', 'priority', 0, 'user_id', id, 'retry_limit', 19, 'retry_delay', 60,
  'retry_delay_max', 3600, 'expire_seconds', 3600, 'heartbeat_seconds', 60, 'deletion_seconds', 1209600, 'data', '{}'::jsonb
)), '[]')) from users where deleted_at is not null;
reset role;

drop table mails;
alter table documents drop column embed_after, drop column embed_attempts;
