-- An extension that an administrator has created stays.
do $$
begin
  drop extension if exists pg_trgm;
exception
  when insufficient_privilege then null;
end
$$;
