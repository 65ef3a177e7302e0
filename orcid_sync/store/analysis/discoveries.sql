-- Record holders who might be asked.

-- name: barred
-- Who is not to be suggested, and why. Whoever was connected at any time has decided already; so has who said no.
select given.orcid,
       case
         when c.state = 'connected' then 'connected'
         when c.erased_at is not null or e.orcid is not null then 'erased'
         when c.orcid is not null then 'left'
         when i.denied then 'denied'
         when i.orcid is not null then 'invited'
         when d.orcid is not null then 'dismissed'
         else 'left'
       end as reason
  from unnest(:orcids::text[]) as given (orcid)
  left join orcid_sync.connections as c using (orcid)
  left join lateral (select x.orcid from orcid_sync.erasures as x where x.orcid = given.orcid limit 1) as e on true
  left join lateral (
    select v.orcid, bool_or(v.denied_at is not null) as denied
      from orcid_sync.invitations as v where v.orcid = given.orcid group by v.orcid
  ) as i on true
  left join orcid_sync.discoveries as d on d.orcid = given.orcid and d.dismissed_at is not null
 where c.orcid is not null or e.orcid is not null or i.orcid is not null or d.orcid is not null
    or exists (
         select from orcid_sync.consents as l
          where l.orcid = given.orcid and l.event in ('denied', 'revoked', 'disconnected', 'erased')
       );

-- name: see!
insert into orcid_sync.discoveries as d (orcid, found_by)
select given.orcid, string_to_array(given.found_by, e'\n')
  from unnest(:orcids::text[], :found_by::text[]) as given (orcid, found_by)
 order by given.orcid
on conflict (orcid) do update set found_by = excluded.found_by, last_seen_at = now();

-- name: waiting
-- Those whose record is to be read: first those of whom nothing is known, then those that were read long ago.
select orcid
  from orcid_sync.discoveries
 where orcid = any(:orcids::text[]) and dismissed_at is null
   and (examined_at is null or examined_at < now() - :again::interval)
 order by examined_at nulls first, orcid
 limit :limit::bigint;

-- name: shared
-- Which of these DOIs a mirrored work has.
select distinct identifier
  from orcid.external_ids
 where identifier = any(:dois::text[]) and type = 'doi' and section = 'work' and orcid <> :orcid;

-- name: examine!
update orcid_sync.discoveries
   set name = :name, evidence = :evidence::jsonb, examined_at = now()
 where orcid = :orcid and dismissed_at is null;

-- name: forget_barred$
-- What is known of those who are not to be suggested, or are not found any more.
with forgotten as (
  delete from orcid_sync.discoveries as d
   where d.dismissed_at is null
     and (d.orcid = any(:orcids::text[]) or d.last_seen_at < now() - :keep::interval)
  returning 1
)
select count(*) from forgotten;

-- name: forget_person$
with forgotten as (
  delete from orcid_sync.discoveries where orcid = :orcid returning 1
)
select count(*) from forgotten;

-- name: is_known$
-- Whoever has a connection is known by that.
select exists (select from orcid_sync.discoveries where orcid = :orcid and first_seen_at <= :at)
   and not exists (select from orcid_sync.connections where orcid = :orcid);

-- name: all_orcids
select orcid from orcid_sync.discoveries where dismissed_at is null order by orcid;

-- name: list_people
-- Those with evidence, the most convincing first.
select orcid, found_by, name, evidence, first_seen_at, last_seen_at, examined_at, told_at
  from orcid_sync.discoveries
 where evidence is not null and dismissed_at is null
 order by jsonb_path_exists(evidence, '$.affiliations[*].current ? (@ == true)') desc,
          evidence -> 'domains' = '[]', (evidence ->> 'works')::int desc, orcid;

-- name: tell!
update orcid_sync.discoveries set told_at = now() where orcid = any(:orcids::text[]) and told_at is null;

-- name: dismiss
insert into orcid_sync.discoveries as d (orcid, dismissed_at)
select given.orcid, now() from unnest(:orcids::text[]) as given (orcid) order by given.orcid
on conflict (orcid) do update
   set name = null, evidence = null, found_by = '{}', dismissed_at = coalesce(d.dismissed_at, now())
returning orcid;
