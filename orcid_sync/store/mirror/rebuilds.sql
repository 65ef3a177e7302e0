-- Columns made anew from stored documents: where the rebuild of a section stands, and who must be leased for it.

-- name: begin$
-- Goes on with what the same version has begun and not ended.
insert into orcid_sync.rebuilds as r (section, version)
values (:section, :version)
on conflict (section) do update
   set version = excluded.version,
       reached = case when r.finished_at is null and r.version = excluded.version then r.reached else '' end,
       began_at = case when r.finished_at is null and r.version = excluded.version then r.began_at else now() end,
       finished_at = null
returning reached;

-- name: reach!
update orcid_sync.rebuilds set reached = :reached where section = :section;

-- name: finish!
update orcid_sync.rebuilds set reached = '', finished_at = now() where section = :section;

-- name: queued
-- Those of these iDs that somebody may be reading: the others belong to records that nobody follows.
select orcid from orcid_sync.queue where orcid = any(:orcids::text[]);
