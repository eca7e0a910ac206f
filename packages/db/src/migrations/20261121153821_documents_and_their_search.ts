// Documents and their search
//
// Old code keeps working: the table and the functions are new to it, and nothing it knows of changes.
//
// Written by hand: the storage, the functions and the grants. docs/decisions/007 says why searching is done by functions, and how.

export const up = `
create table "documents" ("id" uuid not null, "user_id" uuid not null, "title" varchar(200) not null, "content" text not null, "metadata" jsonb not null default '{}', "embedding" vector(768) null, "embedding_model" varchar(100) null, "embed_after" timestamptz null, "embed_attempts" int not null default 0, "search" tsvector generated always as (setweight(to_tsvector('english'::regconfig, title::text), 'A') || setweight(to_tsvector('english'::regconfig, content), 'B')) stored null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));
comment on table "documents" is 'What a user has written down, to be found by its words and by its meaning.';
comment on column "documents"."id" is 'UUID v7, made by the application.';
comment on column "documents"."user_id" is 'Whose document it is.';
comment on column "documents"."title" is 'What it is called; never blank.';
comment on column "documents"."content" is 'The text itself.';
comment on column "documents"."metadata" is 'The product''s own: any JSON object; searches filter by containment.';
comment on column "documents"."embedding" is 'What it means, as a vector of length 1; null until there is one.';
comment on column "documents"."embedding_model" is 'The model that made the embedding here; null where it was sent along.';
comment on column "documents"."embed_after" is 'When an embedding is to be made; null where there is nothing to do.';
comment on column "documents"."embed_attempts" is 'How often making it was begun.';
comment on column "documents"."search" is 'Its words, for searching.';
comment on column "documents"."created_at" is 'When the row was inserted.';
comment on column "documents"."updated_at" is 'When the row was last changed; kept by a trigger, so that plain SQL keeps it too.';
create index "idx_documents_user_id" on "documents" ("user_id", "id");
create index "idx_documents_user_id_embedded" on "documents" ("user_id") where embedding is not null;
create index "idx_documents_embedding" on "documents" using hnsw ("embedding" vector_cosine_ops) with (m = 24, ef_construction = 128);
create index "idx_documents_search" on "documents" using gin ("search");
create index "idx_documents_metadata" on "documents" using gin ("metadata" jsonb_path_ops);
create index "idx_documents_embed_after" on "documents" ("embed_after") where embed_after is not null;

alter table "documents" add constraint "fk_documents_user_id" foreign key ("user_id") references "users" ("id") on delete cascade;
alter table "documents" add constraint "chk_documents_embedding" check (vector_norm(embedding)::numeric > 0);
create or replace function "documents_set_updated_at_fn"() returns trigger as \$\$ begin if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) then new.updated_at = now(); end if; return new; end; \$\$ language plpgsql;
create trigger "set_updated_at" BEFORE UPDATE on "documents" for each ROW execute function "documents_set_updated_at_fn"();
alter table "documents" enable row level security;
create policy "documents_owner" on "documents" to "quoin_app" using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);

-- A vector of 768 is 3 KB, which would go into a TOAST table of its own: an exact search would look each one up there.
alter table "documents" alter column "embedding" set storage plain;

-- The documents of app.user_id that mean what the vector means, the best first; the score is the cosine similarity.
create function semantic_matches(query vector, filter jsonb, rows_max int)
returns table (id uuid, score double precision)
language plpgsql stable security definer rows 10
set search_path = public, extensions, pg_temp
-- Without sorting the planner takes the order from the index wherever there is a choice. The exact search leaves it none.
set enable_sort = off
set jit = off
as \$\$
declare
  asker constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  exact_max constant int := 5000;
  wanted text := 'd.user_id = \$1 and d.embedding is not null';
  candidates int;
  ids uuid[];
  scores double precision[];
begin
  if filter <> '{}' then
    wanted := wanted || ' and d.metadata @> \$3';
  end if;
  execute format('select count(*) from (select from documents d where %s limit %s) bounded', wanted, exact_max + 1)
    into candidates using asker, query, filter;
  if candidates > exact_max then
    -- Not as settings of the function: to name a parameter of an extension that is not loaded yet takes a superuser, and restoring a dump
    -- would need one.
    perform set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true);
    execute format(
      'select array_agg(id), array_agg(1 - distance) from (
         select d.id, d.embedding <=> \$2 as distance from documents d where %s order by d.embedding <=> \$2 limit %s) nearest',
      wanted, rows_max) into ids, scores using asker, query, filter;
    -- The index stops after hnsw.max_scan_tuples rows, whoever they belong to. Whom that leaves with too few is searched exactly.
    if cardinality(ids) = rows_max then
      return query select * from unnest(ids, scores);
      return;
    end if;
  end if;
  return query execute format(
    'select nearest.id, 1 - nearest.distance from (
       select d.id, (d.embedding <=> \$2) + 0 as distance from documents d where %s order by distance limit %s) nearest',
    wanted, rows_max) using asker, query, filter;
end
\$\$;

-- The documents of app.user_id that have the words, as a search engine on the web would take them, the best first.
create function keyword_matches(query text, filter jsonb, rows_max int)
returns table (id uuid, score double precision)
language plpgsql stable security definer rows 10
set search_path = public, extensions, pg_temp
set jit = off
as \$\$
declare
  asker constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  words constant tsquery := websearch_to_tsquery('english', query);
  wanted text := 'd.user_id = \$1 and d.search @@ \$2';
begin
  if filter <> '{}' then
    wanted := wanted || ' and d.metadata @> \$3';
  end if;
  return query execute format(
    'select d.id, ts_rank_cd(d.search, \$2)::double precision as score from documents d where %s order by score desc, d.id desc limit %s',
    wanted, rows_max) using asker, words, filter;
end
\$\$;

revoke execute on function semantic_matches(vector, jsonb, int), keyword_matches(text, jsonb, int) from public;
grant execute on function semantic_matches(vector, jsonb, int), keyword_matches(text, jsonb, int) to quoin_app;
grant select, insert, update, delete on "documents" to quoin_app;
`;

export const down = `
drop function if exists semantic_matches(vector, jsonb, int);
drop function if exists keyword_matches(text, jsonb, int);
drop trigger if exists "set_updated_at" on "documents";
drop function if exists "documents_set_updated_at_fn"();
drop table if exists "documents" cascade;
`;
