drop index if exists idx_audit_events_organization_id;
