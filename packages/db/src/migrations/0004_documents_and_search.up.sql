-- Documents and their search. docs/decisions/007 explains why functions search, and how.
--
-- Old code keeps working: the table and the functions are new.

create table documents (
  user_id uuid not null constraint fk_documents_user_id references users (id) on delete cascade,
  id uuid not null,
  title varchar(200) not null,
  content text not null,
  metadata jsonb not null default '{}'::jsonb,
  embedding vector(768),
  embedding_model varchar(100),
  embed_after timestamptz,
  embed_attempts int not null default 0,
  search tsvector generated always as (
    setweight(to_tsvector('english'::regconfig, title::text), 'A') || setweight(to_tsvector('english'::regconfig, content), 'B')
  ) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint chk_documents_embedding check (vector_norm(embedding) > 0),
  primary key (user_id, id)
);
-- An embedding has 3 KB and would move to the TOAST table, where an exact search looks up each one separately.
alter table documents alter column embedding set storage plain;
create index idx_documents_user_id_embedded on documents (user_id) where embedding is not null;
create index idx_documents_embedding on documents using hnsw (embedding vector_cosine_ops) with (m = 24, ef_construction = 128);
create index idx_documents_search on documents using gin (search);
create index idx_documents_metadata on documents using gin (metadata jsonb_path_ops);
create index idx_documents_embed_after on documents (embed_after) where embed_after is not null;

create function documents_set_updated_at_fn() returns trigger as $$ begin if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) then new.updated_at = now(); end if; return new; end; $$ language plpgsql;
create trigger set_updated_at before update on documents for each row execute function documents_set_updated_at_fn();

alter table documents enable row level security, force row level security;
create policy documents_owner on documents to quoin_app
  using (user_id = (select quoin_user_id())) with check (user_id = (select quoin_user_id()));
create policy documents_system on documents to quoin_system using (true) with check (true);
grant select, insert, update, delete on documents to quoin_app, quoin_system;

-- Returns the documents of the current user that are nearest to the vector, best first. The score is the cosine similarity.
create function semantic_matches(query vector, filter jsonb, rows_max int)
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
create function keyword_matches(query text, filter jsonb, rows_max int)
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

revoke execute on function semantic_matches(vector, jsonb, int), keyword_matches(text, jsonb, int) from public;
grant execute on function semantic_matches(vector, jsonb, int), keyword_matches(text, jsonb, int) to quoin_app;

comment on column documents.id is 'UUID v7, generated by the application.';
comment on column documents.user_id is 'The owner.';
comment on column documents.title is 'Title; not blank.';
comment on column documents.content is 'The text.';
comment on column documents.metadata is 'Metadata of the product: a JSON object. Searches filter by containment.';
comment on column documents.embedding is 'Embedding of the text, scaled to length 1; null until there is one.';
comment on column documents.embedding_model is 'Model that computed the embedding; null if the client sent it.';
comment on column documents.embed_after is 'When to compute an embedding; null if none is due.';
comment on column documents.embed_attempts is 'Number of attempts to compute the embedding.';
comment on column documents.search is 'Lexemes for the keyword search.';
comment on column documents.created_at is 'When the row was inserted.';
comment on column documents.updated_at is 'When the row was last updated. A trigger maintains it.';
comment on table documents is 'Texts of a user, searchable by words and by meaning.';
