-- What is left of deleted rows in PostgreSQL's own files, until they are vacuumed.

-- name: waiting
-- The forgettings of which something may be left. VACUUM takes out what was deleted by a transaction older than all that
-- anybody still needs: what runs or looks at a snapshot in this database, standbys, slots, prepared transactions. Which
-- transaction that was, the row's own xmin says, also after a restore, when it is the restoring one. `seen`: was there
-- at the last run that succeeded.
with holding (xid) as (
  select unnest(array[backend_xmin, backend_xid])
    from pg_stat_activity
   where pid <> pg_backend_pid() and (datname = current_database() or datname is null)
   union all
  select xmin from pg_replication_slots
   union all
  select transaction from pg_prepared_xacts where database = current_database()
), horizon as (
  select coalesce(max(age(xid)), 0) as age from holding where xid is not null
), before as (
  select coalesce(max(started_at), '-infinity') as at
    from orcid_sync.runs where job = :job and outcome is not null
)
select r.number, age(r.xmin) > horizon.age as passed, r.at < before.at as seen
  from orcid_sync.residue as r
 cross join horizon
 cross join before;

-- name: cleared!
delete from orcid_sync.residue where number = any(:numbers::bigint[]);
