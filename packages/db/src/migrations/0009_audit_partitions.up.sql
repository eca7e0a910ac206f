-- Monthly partitions of the audit trail, so that old months can be dropped, and addresses that disappear before their events.
--
-- Old code keeps working: it inserts and reads as before. Attaching the existing events reads them once under a lock: about a second per million.

alter table audit_events rename to audit_events_before;
alter table audit_events_before rename constraint audit_events_pkey to audit_events_before_pkey;
alter index idx_audit_events_user_id rename to audit_events_before_user_id_id_idx;
alter index idx_audit_events_actor_id rename to audit_events_before_actor_id_id_idx;
alter index idx_audit_events_ip_address rename to audit_events_before_ip_address_id_idx;
alter index idx_audit_events_request_id rename to audit_events_before_request_id_idx;
alter index idx_audit_events_client_request_id rename to audit_events_before_client_request_id_id_idx;

create table audit_events (like audit_events_before including defaults including comments) partition by range (id);
alter table audit_events add primary key (id);
create index idx_audit_events_user_id on audit_events (user_id, id);
create index idx_audit_events_actor_id on audit_events (actor_id, id);
create index idx_audit_events_ip_address on audit_events (ip_address, id);
create index idx_audit_events_request_id on audit_events (request_id);
create index idx_audit_events_client_request_id on audit_events (client_request_id, id) where client_request_id is not null;
-- The events whose personal data is still there.
create index idx_audit_events_personal on audit_events (id) where ip_address is not null or user_agent is not null;

-- The lowest id that can have been created at a time: ids are UUIDs of version 7.
create function quoin_first_id_at(moment timestamptz) returns uuid
language sql immutable parallel safe
return rpad(lpad(to_hex(greatest(0, trunc(extract(epoch from moment - timestamptz 'epoch') * 1000)::bigint)), 12, '0'), 32, '0')::uuid;

-- Not in the entity: MikroORM does not see triggers on truncate.
create trigger refuse_change before delete on audit_events for each statement execute function audit_events_refuse_change_fn();
create trigger refuse_truncate before truncate on audit_events for each statement execute function audit_events_refuse_change_fn();
create function audit_events_refuse_update_fn() returns trigger as $$ begin if old.created_at < now() - interval '30 days' then old.ip_address = null; old.user_agent = null; if new is not distinct from old then return new; end if; end if; raise exception 'audit_events is append-only'; end; $$ language plpgsql;
create trigger refuse_update before update on audit_events for each row execute function audit_events_refuse_update_fn();

alter table audit_events enable row level security, force row level security;
create policy audit_events_owner on audit_events to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy audit_events_system on audit_events to quoin_system using (true) with check (true);
grant select, insert on audit_events to quoin_app, quoin_system;
grant update (ip_address, user_agent) on audit_events to quoin_system;

-- Denies direct access to a partition.
create function quoin_protect_audit_partition(partition regclass) returns void
language plpgsql
set search_path = public, pg_temp
as $$
begin
  -- Not forced, so that the owner can move events.
  execute format('alter table %s enable row level security, no force row level security', partition);
  execute format('revoke all on %s from quoin_app, quoin_system', partition);
  execute format('create or replace trigger refuse_change before delete or update on %s for each statement execute function audit_events_refuse_change_fn()', partition);
  execute format('create or replace trigger refuse_truncate before truncate on %s for each statement execute function audit_events_refuse_change_fn()', partition);
end;
$$;

-- Creates the partitions of this month and the next two. Events of a month without a partition are in audit_events_default, and move.
-- `attach` does not block inserts into other partitions. It waits for readers of audit_events_default.
create function quoin_create_audit_partitions() returns int
language plpgsql security definer
set search_path = public, pg_temp
set lock_timeout = '2s'
as $$
declare
  month timestamp;
  name text;
  low uuid;
  high uuid;
  created int := 0;
begin
  perform pg_advisory_xact_lock(hashtext('quoin_create_audit_partitions'));
  for ahead in 0..2 loop
    month := date_trunc('month', now() at time zone 'utc') + make_interval(months => ahead);
    name := to_char(month, '"audit_events_"YYYY_MM');
    low := quoin_first_id_at(month at time zone 'utc');
    high := quoin_first_id_at((month + interval '1 month') at time zone 'utc');
    continue when to_regclass(name) is not null or low < (
      select substring(pg_get_expr(relpartbound, oid) from $re$TO \('([0-9a-f-]+)'\)$re$)::uuid
      from pg_class where relname = 'audit_events_before' and relnamespace = 'public'::regnamespace);
    execute format('create table %I (like audit_events including all)', name);
    if exists (select from audit_events_default where id >= low and id < high) then
      alter table audit_events_default disable trigger refuse_change;
      execute format('with moved as (delete from audit_events_default where id >= %L and id < %L returning *) insert into %I select * from moved', low, high, name);
      alter table audit_events_default enable trigger refuse_change;
    end if;
    execute format('alter table audit_events attach partition %I for values from (%L) to (%L)', name, low, high);
    perform quoin_protect_audit_partition(name::regclass);
    created := created + 1;
  end loop;
  return created;
end;
$$;

-- Drops the partitions whose newest possible event is this old. Refuses the last 30 days, so that an attacker cannot remove recent traces.
create function quoin_drop_audit_partitions(age interval) returns int
language plpgsql security definer
set search_path = public, pg_temp
set lock_timeout = '2s'
as $$
declare
  partition regclass;
  dropped int := 0;
  cutoff timestamptz := now() - age;
begin
  -- Compares times, because an interval of months and days compares otherwise than it subtracts.
  if cutoff is null or cutoff > now() - interval '30 days' then
    raise exception 'audit events of the last 30 days cannot be dropped';
  end if;
  for partition in
    select c.oid::regclass from pg_inherits join pg_class c on c.oid = inhrelid
    where inhparent = 'audit_events'::regclass
      and substring(pg_get_expr(relpartbound, c.oid) from $re$TO \('([0-9a-f-]+)'\)$re$)::uuid <= quoin_first_id_at(cutoff)
  loop
    execute format('alter table audit_events detach partition %s', partition);
    execute format('drop table %s', partition);
    dropped := dropped + 1;
  end loop;
  return dropped;
end;
$$;

revoke all on function quoin_create_audit_partitions(), quoin_drop_audit_partitions(interval), quoin_protect_audit_partition(regclass) from public;
grant execute on function quoin_create_audit_partitions(), quoin_drop_audit_partitions(interval) to quoin_system;

do $$
declare
  -- A clock may have been ahead.
  newest timestamptz := (
    select timestamptz 'epoch' + ('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint * interval '1 millisecond'
    from audit_events_before order by id desc limit 1);
begin
  drop trigger refuse_change on audit_events_before;
  drop trigger refuse_truncate on audit_events_before;
  drop policy audit_events_owner on audit_events_before;
  drop policy audit_events_system on audit_events_before;
  execute format('alter table audit_events attach partition audit_events_before for values from (minvalue) to (%L)',
    quoin_first_id_at((date_trunc('month', greatest(now(), newest) at time zone 'utc') + interval '1 month') at time zone 'utc'));
  create table audit_events_default partition of audit_events default;
  perform quoin_protect_audit_partition('audit_events_before');
  perform quoin_protect_audit_partition('audit_events_default');
  perform quoin_create_audit_partitions();
end;
$$;

comment on table audit_events is 'Audit trail of accounts, in monthly partitions. Append-only: triggers refuse to change or delete rows, except that addresses and agents of old events can be removed.';
