-- name: load_record^
-- The record's own row.
select state, access, withheld, primary_orcid, registry_modified_at, doc from orcid.records where orcid = :orcid;

-- name: load_known
-- As much of each item as is needed to see whether it moved.
select section, key, digest, visibility, detail_modified_at, modified_at from orcid.items where orcid = :orcid;

-- name: load_contents
-- The content of some items.
select i.section, i.key, i.doc, i.detail, i.group_put_code, i.group_position
  from unnest(:sections::text[], :keys::text[]) wanted (section, key)
  join orcid.items i on i.orcid = :orcid and i.section = wanted.section and i.key = wanted.key;

-- name: touch_record!
-- ORCID's record-wide date moved without anything visible (contract section 3.9).
update orcid.records set registry_modified_at = :registry_modified_at
 where orcid = :orcid and registry_modified_at is distinct from :registry_modified_at;

-- name: stamp_record!
-- Some item of the record changed.
update orcid.records set registry_modified_at = :registry_modified_at, changed_at = now() where orcid = :orcid;
