-- Organisations and their identifiers, replaced as a whole: readers see the old ones until the new ones are complete.

-- name: begin_replacement!
-- One load at a time; readers go on.
lock table orcid.organisations in share row exclusive mode;

-- name: forget_identifiers!
delete from orcid.organisation_ids;

-- name: forget_organisations!
delete from orcid.organisations;

-- name: unknown
-- What a mapping says about organisations that the dump does not have.
select l.scheme, l.id, l.ror
  from orcid_sync.loaded_organisation_ids as l
 where not exists (select from orcid.organisations as o where o.ror = orcid.normal_organisation_id('ror', l.ror))
 order by l.scheme, l.id;

-- name: take_identifiers$
-- Of several organisations with the same identifier: what the mapping says, the active one, the one that prefers it.
-- A withdrawn entry was a mistake or a double: its identifiers mean its successor.
with given as (
  select l.scheme, orcid.normal_organisation_id(l.scheme, l.id) as id, o.ror, o.status, o.successors, l.preferred, l.origin
    from orcid_sync.loaded_organisation_ids as l
    join orcid.organisations as o on o.ror = orcid.normal_organisation_id('ror', l.ror)
), chosen as (
  select distinct on (g.scheme, g.id) g.scheme, g.id, coalesce(s.ror, g.ror) as ror, g.preferred, g.origin
    from given as g
    left join orcid.organisations as s
      on g.status = 'withdrawn' and cardinality(g.successors) = 1 and s.ror = g.successors[1]
   where g.id is not null
   order by g.scheme, g.id, g.origin <> 'mapping', g.status <> 'active', not g.preferred, g.ror
), taken as (
  insert into orcid.organisation_ids (scheme, id, ror, preferred, origin)
  select scheme, id, ror, preferred, origin from chosen returning 1
)
select count(*) from taken;

-- name: end_replacement!
delete from orcid_sync.loaded_organisation_ids;

-- name: known
-- What the mirror needs, and how much of it is known: identifiers of organisations by their scheme.
select i.scheme, count(*) as items, count(i.ror) as known
  from orcid.item_organisations as i
 where i.scheme is not null
 group by i.scheme
 order by items desc, i.scheme;
