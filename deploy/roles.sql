-- Roles for the readers of the mirror. Needed only where `orcid-sync migrate` could not make them itself, because the owner
-- of the schemas may not create roles; running it again does no harm. As a superuser, or as the owner with CREATEROLE:
--
--   psql --single-transaction --file roles.sql "$DATABASE_URL"
--
-- Then, for each person or program that reads:
--
--   create role reporting login password '…' in role orcid_reader;          -- public items
--   create role cris      login password '…' in role orcid_reader_limited;  -- limited ones, too
--
-- Roles belong to the whole server: two installations on one server share these, and each grants them its own tables.

do $$
declare
  reader name;
begin
  foreach reader in array array['orcid_reader', 'orcid_reader_limited']
  loop
    if not exists (select from pg_roles where rolname = reader) then
      execute format('create role %I nologin', reader);
    end if;
  end loop;
  -- Not yet before a backup is restored on another server: what it grants is in the backup.
  if to_regprocedure('orcid_sync.grant_readers()') is not null then
    perform orcid_sync.grant_readers();
  end if;
  -- The service reads as these roles for whoever asks over HTTP, and for what it pushes: as the owner, or as the role that grant_service() names.
  if to_regprocedure('orcid_sync.lend_readers(name)') is not null then
    perform orcid_sync.lend_readers(nspowner::regrole::name) from pg_namespace where nspname = 'orcid';
  end if;
end
$$;

-- By default the service runs as the owner of the schemas, which it also migrates. To keep the right to change the schema
-- away from it, let `orcid-sync migrate` run with the owner's database_url and `orcid-sync serve` with that of a role
-- that a superuser makes like this:
--
--   create role orcid_sync_service login bypassrls password '…';
--   select orcid_sync.grant_service('orcid_sync_service');
