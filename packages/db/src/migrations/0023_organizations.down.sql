drop policy "audit_events_admins" on "audit_events";
drop policy "audit_events_members" on "audit_events";
alter table "audit_events" drop column "organization_id";
-- A key for the rows of an organization must not open those of its owner.
delete from "api_keys" where organization_id is not null;
alter table "api_keys" drop column "organization_id";
comment on column "api_keys"."user_id" is 'The owner.';

-- Returns the documents of the current user that are nearest to the vector, best first. The score is the cosine similarity.
create or replace function semantic_matches(query vector, filter jsonb, rows_max int)
returns table (id uuid, score double precision)
language plpgsql stable security definer rows 10
set search_path = public, extensions, pg_temp
-- Without sorting the planner reads the order from the index wherever it can. The exact search below gives it no choice.
set enable_sort = off
set jit = off
as $$
declare
  owner constant uuid := quoin_user_id();
  exact_max constant int := 5000;
  condition text := 'd.user_id = $1 and d.embedding is not null';
  candidates int;
  ids uuid[];
  scores double precision[];
begin
  if filter <> '{}' then
    condition := condition || ' and d.metadata @> $3';
  end if;
  execute format('select count(*) from (select from documents d where %s limit %s) bounded', condition, exact_max + 1)
    into candidates using owner, query, filter;
  if candidates > exact_max then
    -- Not settings of the function: only a superuser may name a parameter of an extension that is not loaded yet, and pg_restore
    -- would need one.
    perform set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true);
    execute format(
      'select array_agg(id), array_agg(1 - distance) from (
         select d.id, d.embedding <=> $2 as distance from documents d where %s order by d.embedding <=> $2 limit %s) nearest',
      condition, rows_max) into ids, scores using owner, query, filter;
    -- The index stops after hnsw.max_scan_tuples rows of all users. If it found too few of this user, search exactly.
    if cardinality(ids) = rows_max then
      return query select * from unnest(ids, scores);
      return;
    end if;
  end if;
  return query execute format(
    'select nearest.id, 1 - nearest.distance from (
       select d.id, (d.embedding <=> $2) + 0 as distance from documents d where %s order by distance limit %s) nearest',
    condition, rows_max) using owner, query, filter;
end
$$;

-- Returns the documents of the current user that match the words, best first. The query is written as for a web search engine.
-- Ranking is bounded: the newest 1,000 matches are ranked cheaply, and the best 50 of them by cover density.
create or replace function keyword_matches(query text, filter jsonb, rows_max int)
returns table (id uuid, score double precision)
language plpgsql stable security definer rows 10
set search_path = public, extensions, pg_temp
set jit = off
as $$
declare
  owner constant uuid := quoin_user_id();
  words constant tsquery := websearch_to_tsquery('english', query);
  matches_max constant int := 1000;
  ranked_max constant int := greatest(rows_max, 50);
  condition text := 'd.user_id = $1 and d.search @@ $2';
begin
  if filter <> '{}' then
    condition := condition || ' and d.metadata @> $3';
  end if;
  -- ts_rank compares every pair of words, unless the query is a disjunction, as (words || words) is.
  return query execute format(
    'select best.id, ts_rank_cd(best.search, $2)::double precision as score from (
       select newest.id, newest.search from (
         select d.id, d.search from documents d where %s order by d.id desc limit %s) newest
       order by ts_rank(newest.search, $2 || $2) desc, newest.id desc limit %s) best
     order by score desc, best.id desc limit %s',
    condition, matches_max, ranked_max, rows_max) using owner, words, filter;
end
$$;

create or replace function quoin_enqueue(jobs jsonb) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  caller uuid := public.quoin_user_id();
begin
  if caller is not null and exists (
    select from jsonb_array_elements(jobs) job
    where job->>'name' = 'send-mail' and job->'data'->>'recipient' is distinct from public.quoin_user_email()
  ) then
    raise insufficient_privilege using message = 'a user''s unit of work sends mail to that user only';
  end if;

  insert into pgboss.queue (
    name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_seconds, deletion_seconds, partition, table_name
  )
  select distinct on (name) name, policy, retry_limit, retry_delay, true, expire_seconds, 31536000, deletion_seconds, false, 'job_common'
  from jsonb_to_recordset(jobs) job (name text, policy text, retry_limit int, retry_delay int, expire_seconds int, deletion_seconds int)
  where not exists (select from pgboss.queue where queue.name = job.name)
  on conflict do nothing;

  insert into pgboss.job (
    id, name, policy, priority, data, group_id, singleton_key, singleton_on, start_after, keep_until, retry_limit, retry_delay, retry_backoff,
    retry_delay_max, expire_seconds, heartbeat_seconds, deletion_seconds, trace_context
  )
  select id, job.name, queue.policy, job.priority, data, coalesce(caller, user_id), concurrency_key, unique_at, coalesce(start_after, now()),
    coalesce(start_after, now()) + interval '1 year', job.retry_limit, job.retry_delay, true, job.retry_delay_max, job.expire_seconds,
    job.heartbeat_seconds, job.deletion_seconds, trace_context
  from jsonb_to_recordset(jobs) job (
    id uuid, name text, priority int, data jsonb, user_id uuid, concurrency_key text, unique_at timestamp, start_after timestamptz, retry_limit int,
    retry_delay int, retry_delay_max int, expire_seconds int, heartbeat_seconds int, deletion_seconds int, trace_context jsonb
  ) join pgboss.queue on queue.name = job.name
  on conflict do nothing;
end
$$;

drop table "invitations", "memberships", "organization_documents", "organizations";
drop function organizations_set_updated_at_fn(), memberships_set_updated_at_fn(), memberships_keep_owner_fn(), organization_documents_set_updated_at_fn();
drop function quoin_members(uuid, uuid, int), quoin_keep_owner(uuid), quoin_organization_role(), quoin_organization_id(), quoin_user_organization_ids(), quoin_member_id();
-- The role stays, as the others do: it can belong to another database of this server.
