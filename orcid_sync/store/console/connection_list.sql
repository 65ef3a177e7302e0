-- Looking through the connections: who stands how, a page at a time.

-- name: standings^
-- iDs that stand as wished, in their order, starting after one; and how many there are in all. Only the branch of what
-- is wished for runs; each of the rare ones has a partial index.
with matching as (
  select c.orcid from orcid_sync.connections as c where :standing = 'all'
  union all
  select c.orcid from orcid_sync.connections as c where :standing = 'connected' and c.state = 'connected'
  union all
  select c.orcid from orcid_sync.connections as c where :standing = 'gone' and c.state <> 'connected'
  union all
  select c.orcid from orcid_sync.connections as c
   where :standing = 'token-suspect' and c.state = 'connected' and c.access_state = 'suspect'
  union all
  select c.orcid from orcid_sync.connections as c
   where :standing = 'token-over' and c.state = 'connected' and c.access_state in ('revoked', 'expired')
  union all
  select q.orcid from orcid_sync.queue as q where :standing = 'failing' and q.attempts > 0
  union all
  select distinct d.orcid from orcid_sync.doubts as d
   where :standing = 'held' and d.kind in ('removal', 'shown', 'older')
  union all
  select distinct d.orcid from orcid_sync.doubts as d where :standing = 'in-doubt'
  union all
  select q.orcid from orcid_sync.queue as q where :standing = 'waiting' and q.due_at <= now()
  union all
  select q.orcid
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where :standing = 'unread' and q.verified_at is null and c.state = 'connected'
  union all
  select r.orcid
    from orcid.records as r
    join orcid_sync.connections as c using (orcid)
   where :standing = 'not-active' and r.state <> 'active' and c.state = 'connected'
  union all
  select w.orcid
    from (
      select w.orcid from orcid_sync.webhooks as w where w.state <> 'active'
      union
      select w.orcid from orcid_sync.webhooks as w where w.suspect_since is not null
    ) as w
   where :standing = 'webhook'
), wanted as not materialized (
  select m.orcid from matching as m where :orcids::text[] is null or m.orcid = any(:orcids::text[])
)
select (select count(*) from wanted) as total,
       array(select w.orcid from wanted as w where w.orcid > :after order by w.orcid limit :limit::bigint) as orcids;

-- name: rows
select c.orcid, c.state as connection, c.access_state, r.state, r.primary_orcid, q.verified_at, q.due_at,
       q.lease_until > now() as leased, q.attempts, q.last_error, coalesce(d.held, false) as held,
       d.orcid is not null as in_doubt
  from orcid_sync.connections as c
  join orcid_sync.queue as q using (orcid)
  left join orcid.records as r using (orcid)
  left join (
    select orcid, bool_or(kind in ('removal', 'shown', 'older')) as held
      from orcid_sync.doubts
     where orcid = any(:orcids::text[])
     group by orcid
  ) as d using (orcid)
 where c.orcid = any(:orcids::text[])
 order by c.orcid;

-- name: people
-- As far as the reader may see them.
select p.orcid, p.name, p.employer from orcid.people as p where p.orcid = any(:orcids::text[]);

-- name: find_people
-- Whose name, or other name, has all these words, as far as the reader may see it.
select n.orcid
  from orcid.names as n
 where concat_ws(' ', n.credit_name, n.given_names, n.family_name) ilike all(:patterns::text[])
union
select o.orcid from orcid.other_names as o where o.content ilike all(:patterns::text[])
 limit :limit::bigint;

-- name: is_known$
-- Whether there is a page about this iD: it is or was connected, or it is mirrored.
select exists (select from orcid_sync.connections where orcid = :orcid)
       or exists (select from orcid.records where orcid = :orcid);

-- name: profile^
-- What the mirror says of the record itself and of whose it is, as far as the reader may see it.
select r.state, r.access, r.primary_orcid, r.registry_modified_at, r.first_seen_at, r.changed_at, r.withheld, p.name,
       p.employer
  from orcid.records as r
  join orcid.people as p using (orcid)
 where r.orcid = :orcid;

-- name: entries
-- The items of a record that the reader may see, the latest first: of each group the best version that there is. Of each
-- section the first so many, or of one section some more from a place on; with each how many there are of its kind.
with items as (
  select i.section, i.key, i.visibility, i.modified_at, i.changed_at, i.doc,
         count(*) over same as versions,
         row_number() over (same order by i.group_position nulls first, i.key) as version
    from orcid.items as i
   where i.orcid = :orcid and (:section::text is null or i.section = :section::text)
  window same as (partition by i.section, coalesce(i.group_put_code::text, i.key))
), ranked as (
  select items.*, count(*) over (partition by section) as total,
         row_number() over (partition by section order by coalesce(modified_at, changed_at) desc, key desc) as place
    from items
   where version = 1
)
select section, key, visibility, modified_at, versions, total, doc, doc->'source'->'source-name'->>'value' as source
  from ranked
 where place > :skip::bigint and place <= :skip::bigint + :limit::bigint
 order by section, place;
