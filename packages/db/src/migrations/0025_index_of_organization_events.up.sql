-- transaction: none
-- Finds the audit events of an organization. PostgreSQL cannot build an index of a partitioned table without blocking writes, so each partition gets its own, and
-- the index of the table consists of them. The first statement builds nothing, so its lock is short.
--
-- Old code keeps working: an index changes no result.

create index if not exists idx_audit_events_organization_id on only audit_events (organization_id, id) where organization_id is not null;
-- Those that an interrupted attempt left behind.
select format('drop index concurrently %I', c.relname)
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_inherits p on p.inhrelid = i.indrelid and p.inhparent = 'audit_events'::regclass
where c.relname like '%_organization_id_id_idx' and not i.indisvalid
\gexec
select format('create index concurrently if not exists %I on %I (organization_id, id) where organization_id is not null', relname || '_organization_id_id_idx', relname)
from pg_inherits join pg_class on oid = inhrelid where inhparent = 'audit_events'::regclass
\gexec
select format('alter index idx_audit_events_organization_id attach partition %I', relname || '_organization_id_id_idx')
from pg_inherits join pg_class on oid = inhrelid where inhparent = 'audit_events'::regclass
\gexec
