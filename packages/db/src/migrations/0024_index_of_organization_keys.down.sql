drop index if exists idx_api_keys_organization_id;
