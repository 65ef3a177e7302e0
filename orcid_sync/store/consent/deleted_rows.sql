-- What is left of deleted rows in PostgreSQL's own files, until they are vacuumed.

-- name: due$
-- Whether anything was forgotten since the last time.
with before as (
  select coalesce(max(started_at), '-infinity') as at
    from orcid_sync.runs where job = :job and outcome is not null
)
select exists (
         select from orcid_sync.consents as c, before
          where c.at >= before.at and c.event in ('revoked', 'expired', 'narrowed', 'disconnected', 'erased')
       )
    or exists (
         select from orcid.records as r, before
          where r.changed_at >= before.at and r.state in ('deactivated', 'deprecated')
       );
