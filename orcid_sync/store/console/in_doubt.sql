-- What is in doubt (orcid_sync.doubts), for those who look. Only of the connected: nothing else is read again.

-- name: counts
-- By kind, with the iD that has waited longest.
select d.kind, count(*) as number, count(distinct d.orcid) as records, min(d.since) as since,
       extract(epoch from now() - min(d.since))::double precision as oldest_seconds,
       (array_agg(d.orcid::text order by d.since, d.orcid))[1] as example
  from orcid_sync.doubts as d
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected'
 group by d.kind
 order by array_position('{section,item,full-form,removal,shown,older}', d.kind);

-- name: of_record
-- Of one iD, the oldest first; without what ORCID said.
select d.kind, d.section, d.key, d.reason, d.since, d.attempts, d.due_at, d.modified_ms, d.may_be, d.released
  from orcid_sync.doubts as d
  join orcid_sync.connections as c using (orcid)
 where d.orcid = :orcid and c.state = 'connected'
 order by d.since, d.kind, d.section, d.key;

-- name: visible
-- Which of these items the present role may see.
select i.section, i.key
  from orcid.items as i
 where i.orcid = :orcid
   and (i.section, i.key) in (select section, key from unnest(:sections::text[], :keys::text[]) as u (section, key));

-- name: documents
-- The parts that were set aside, as ORCID gave them.
select key, doc from orcid_sync.doubts where orcid = :orcid and kind = 'item';

-- name: entries
select d.orcid, d.kind, d.section, d.key, d.reason, d.since, d.attempts, d.due_at, d.released,
       case when :documents then d.doc end as doc
  from orcid_sync.doubts as d
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected'
   and (:orcid::text is null or d.orcid = :orcid::text)
   and (:kind::text is null or d.kind = :kind::text)
 order by d.since, d.orcid, d.kind, d.section, d.key
 limit :limit::bigint;

-- name: set_aside
-- What this version does not understand, by section and reason, the most frequent first.
select d.section, d.reason, count(*) as number, count(distinct d.orcid) as records, min(d.since) as since,
       (array_agg(d.orcid::text order by d.since, d.orcid))[1] as example
  from orcid_sync.doubts as d
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected' and d.kind = 'item'
 group by d.section, d.reason
 order by count(*) desc, d.section, d.reason;
