-- transaction: none
-- Finds the API keys of an organization, and those of a membership that ends.
--
-- Old code keeps working: an index changes no result.

create index concurrently idx_api_keys_organization_id on api_keys (organization_id, user_id) where organization_id is not null;
