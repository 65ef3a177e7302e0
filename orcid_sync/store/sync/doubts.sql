-- What is in doubt of each iD; mostly nothing.

-- name: load
select kind, section, key, reason, since, attempts, due_at, modified_ms, doc, may_be, released
  from orcid_sync.doubts
 where orcid = :orcid
 order by since, kind, section, key;

-- name: replace!
-- What stays is written only if it moved.
with said as materialized (
  select d.*
    from jsonb_to_recordset(:doubts::text::jsonb) as d (
           kind text, section text, key text, reason text, since timestamptz, attempts integer, due_at timestamptz,
           modified_ms bigint, doc text, may_be text[], released boolean
         )
), ended as (
  delete from orcid_sync.doubts as old
   where old.orcid = :orcid
     and not exists (
           select from said where (said.kind, said.section, said.key) = (old.kind, old.section, old.key)
         )
)
insert into orcid_sync.doubts as d
  (orcid, kind, section, key, reason, since, attempts, due_at, modified_ms, doc, may_be, released)
select :orcid, kind, section, key, reason, since, attempts, due_at, modified_ms, doc, may_be, released
  from said
on conflict (orcid, kind, section, key) do update
   set reason = excluded.reason, since = excluded.since, attempts = excluded.attempts, due_at = excluded.due_at,
       modified_ms = excluded.modified_ms, may_be = excluded.may_be, released = d.released or excluded.released
 where (d.reason, d.since, d.attempts, d.due_at, d.modified_ms, d.may_be)
       is distinct from (excluded.reason, excluded.since, excluded.attempts, excluded.due_at, excluded.modified_ms,
                         excluded.may_be);

-- name: forget$
with forgotten as (
  delete from orcid_sync.doubts where orcid = :orcid returning 1
)
select count(*) from forgotten;

-- name: holds
-- What waits for a second read, by iD.
select d.orcid, min(d.since) as held_at, min(q.due_at) as due_at, bool_and(d.released) as released,
       (select jsonb_object_agg(section, number) from (
          select r.section, count(*) as number from orcid_sync.doubts as r
           where r.orcid = d.orcid and r.kind = 'removal' group by r.section) as removals) as removals,
       (select jsonb_object_agg(section, number) from (
          select r.section, count(*) as number from orcid_sync.doubts as r
           where r.orcid = d.orcid and r.kind in ('shown', 'older') group by r.section) as others) as others
  from orcid_sync.doubts as d
  join orcid_sync.queue as q using (orcid)
 where d.kind in ('removal', 'shown', 'older') and (:orcid::text is null or d.orcid = :orcid::text)
 group by d.orcid
 order by held_at, d.orcid;

-- name: lock_holders
-- Whose something waits; the queue's rows are locked first and in this order, as whoever reconciles does.
select q.orcid
  from orcid_sync.queue as q
 where q.orcid = any(:orcids::text[])
   and exists (select from orcid_sync.doubts as d where d.orcid = q.orcid and d.kind in ('removal', 'shown', 'older'))
 order by q.orcid
   for no key update;

-- name: release!
update orcid_sync.doubts set released = true
 where orcid = any(:orcids::text[]) and kind in ('removal', 'shown', 'older');

-- name: discard!
delete from orcid_sync.doubts where orcid = any(:orcids::text[]) and kind in ('removal', 'shown', 'older');
