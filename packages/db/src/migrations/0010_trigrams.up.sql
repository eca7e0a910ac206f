-- Trigrams, to find emails by a part of them. The extension belongs to PostgreSQL's own packages, and the owner of a database may create it.
--
-- Old code keeps working: it does not use the extension.
create extension if not exists pg_trgm;
