-- Which ORCID Registry this database is a mirror of.

-- name: settle!
-- The first one counts.
insert into orcid_sync.environment (name) values (:name) on conflict do nothing;

-- name: load$
select name from orcid_sync.environment;
