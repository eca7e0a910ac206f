drop function semantic_matches(vector, jsonb, int), keyword_matches(text, jsonb, int);
drop table documents;
drop function documents_set_updated_at_fn();
