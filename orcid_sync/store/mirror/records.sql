-- The mirror for those who read it over HTTP, as one of the roles of readers.

-- name: page
-- The records after one, in the order of their iDs, each as the feed speaks of it.
select r.orcid,
       jsonb_build_object('state', r.state, 'access', r.access, 'primary_orcid', r.primary_orcid, 'doc', r.doc)
         || case when r.withheld is null then '{}' else jsonb_build_object('withheld', r.withheld) end as content
  from orcid.records as r
 where r.orcid > :after
 order by r.orcid
 limit :limit::bigint;

-- name: items
select i.orcid, i.section, i.key,
       jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code', i.group_put_code,
                          'group_position', i.group_position) as content
  from orcid.items as i
 where i.orcid = any(:orcids::text[])
 order by i.orcid, i.section, i.key;

-- name: as_of
-- The record itself is always among them, so that one knows whether it was there.
select a.section, a.key, a.content
  from orcid.record_as_of(:orcid, coalesce(:at::timestamptz, 'infinity')) as a
 where :section::text is null or a.section in ('record', :section::text)
 order by a.section, a.key;

-- name: verified_at$
select verified_at from orcid.freshness where orcid = :orcid;
