-- Copies the events into one table. Addresses that were removed stay removed.
alter table audit_events rename to audit_events_partitioned;
create table audit_events (like audit_events_partitioned including defaults including comments);
insert into audit_events select * from audit_events_partitioned;
drop table audit_events_partitioned;
drop function quoin_create_audit_partitions(), quoin_drop_audit_partitions(interval), quoin_protect_audit_partition(regclass), quoin_first_id_at(timestamptz), audit_events_refuse_update_fn();

alter table audit_events add primary key (id);
create index idx_audit_events_user_id on audit_events (user_id, id);
create index idx_audit_events_actor_id on audit_events (actor_id, id);
create index idx_audit_events_ip_address on audit_events (ip_address, id);
create index idx_audit_events_request_id on audit_events (request_id);
create index idx_audit_events_client_request_id on audit_events (client_request_id, id) where client_request_id is not null;

create trigger refuse_change before update or delete on audit_events for each statement execute function audit_events_refuse_change_fn();
create trigger refuse_truncate before truncate on audit_events for each statement execute function audit_events_refuse_change_fn();

alter table audit_events enable row level security, force row level security;
create policy audit_events_owner on audit_events to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy audit_events_system on audit_events to quoin_system using (true) with check (true);
grant select, insert on audit_events to quoin_app, quoin_system;

comment on table audit_events is 'Audit trail of accounts. Append-only: triggers refuse to change or delete rows.';
