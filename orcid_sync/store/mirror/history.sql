-- The past of one record, as whoever the transaction is may see it (store/database/roles.py).

-- name: known_since$
-- Since when the mirror knows the record; null: it does not. What was erased was known, too.
select coalesce((select min(c.at) from orcid.changes as c where c.orcid = :orcid),
                (select r.first_seen_at from orcid.records as r where r.orcid = :orcid));

-- name: as_of
-- As orcid.record_as_of() does it, but of what was there and is forgotten there are rows, too, with the reason.
with later as (
  select distinct on (f.section, f.key) f.section, f.key, f.seq, f.op
    from orcid.change_feed as f
   where f.orcid = :orcid and f.at > :at::timestamptz and (:section::text is null or f.section = :section::text)
   order by f.section, f.key, f.seq
), changed as (
  select l.section, l.key, l.op, x.content
    from later as l
    left join orcid.change_contents as x on x.orcid = :orcid and x.seq = l.seq and x.side = 'old'
)
select c.section, c.key, c.content,
       case when c.content is null then (
         select f.reason from orcid.change_feed as f
          where f.orcid = :orcid and f.section = c.section and f.key = c.key and f.reason is not null
          order by f.seq desc limit 1) end as reason
  from changed as c
 where c.op <> 'added' or c.content is not null
union all
select p.section, p.key, p.content, null
  from orcid.record_as_of(:orcid, 'infinity') as p
 where (:section::text is null or p.section = :section::text)
   and not exists (select from later as l where l.section = p.section and l.key = p.key);
