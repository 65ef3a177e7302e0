-- What bears on the question why the mirror of one iD is as it is. The first four queries read what the service itself
-- knows; the others read schema orcid as whoever the transaction is (store/database/roles.py), so that row security decides.

-- name: connection^
select c.state, c.connected_at, c.disconnected_at, c.erased_at, c.access_state, c.suspect_since, c.suspect_reason, c.refusals,
       coalesce(t.scopes, '{}') as scopes, coalesce(t.shown, '{}') as shown, t.granted_at, t.expires_at,
       case when c.access_state in ('revoked', 'expired') then (
         select max(l.at) from orcid_sync.consents as l where l.orcid = c.orcid and l.event in ('revoked', 'expired')
       ) end as ended_at
  from orcid_sync.connections as c
  left join orcid_sync.tokens as t using (orcid)
 where c.orcid = :orcid;

-- name: record^
select state, access, primary_orcid, withheld, registry_modified_at, first_seen_at, changed_at
  from orcid.records
 where orcid = :orcid;

-- name: queue^
select due_at, lane, gen > done_gen as owed, lease_until > now() as leased, attempts, last_error, second_look_at,
       notified_at, verified_at, body_access as read_with, unconfirmed, unconfirmed_at
  from orcid_sync.queue
 where orcid = :orcid;

-- name: webhooks
select w.generation, g.present_since is not null as present, w.state, w.requested_at, w.registered_at, w.last_called_at,
       w.verified_at, w.missed, w.suspect_since, w.awaited_since
  from orcid_sync.webhooks as w
  join orcid_sync.callback_generations as g on g.number = w.generation
 where w.orcid = :orcid
 order by w.generation;

-- name: side_steps
-- What fails at ORCID beside the reading, of each kind what has failed most often.
select distinct on (step) step, act, attempts, error, next_try_at
  from (
    select 'webhook' as step,
           case w.state when 'removing' then 'removed' when 'reviving' then 'revived' else 'registered' end as act,
           w.attempts, w.error, w.next_try_at
      from orcid_sync.webhooks as w
     where w.orcid = :orcid and w.attempts > 0
    union all
    select 'revocation', 'revoked', t.attempts, t.error, t.next_try_at
      from orcid_sync.retired_tokens as t
     where t.orcid = :orcid and t.attempts > 0
  ) as failing
 order by step, attempts desc;

-- name: items
-- Numbers of items by visibility, public ones first.
select coalesce(visibility, 'unknown') as visibility, count(*) as number
  from orcid.items
 where orcid = :orcid
 group by 1
 order by array_position('{public,limited,private}', coalesce(visibility, 'unknown')), 1;

-- name: changes
-- The last lines of the feed, by the moment of their commit; of each commit the first few with what they said. Contents
-- are looked up at the end: a first load may have thousands.
with commits as (
  select distinct at from orcid.changes where orcid = :orcid order by at desc limit :commits::bigint
), numbered as (
  select f.seq, f.at, f.cause, f.section, f.key, f.op, f.reason, f.fields, f.minor,
         row_number() over (partition by f.at order by f.minor, f.seq) as place,
         max(f.source_modified_at) over (partition by f.at) as latest
    from orcid.change_feed as f
   where f.orcid = :orcid and f.at in (select at from commits)
), kinds as (
  select n.at, case when n.minor then 'minor' else n.op || ' ' || n.section end as kind, count(*) as number, min(n.place) as place
    from numbered as n
   group by 1, 2
), counts as (
  select k.at, json_object_agg(k.kind, k.number order by k.place) as counts from kinds as k group by k.at
)
select n.at, n.cause, n.latest as source_modified_at, c.counts, n.section, n.key, n.op, n.reason, n.fields, n.minor,
       (select coalesce(f.new, f.old) -> 'doc' from orcid.change_feed as f where f.orcid = :orcid and f.seq = n.seq) as doc
  from numbered as n
  join counts as c using (at)
 where n.place <= :lines::bigint
 order by n.at desc, n.place;

-- name: present_items
-- Items that may answer to a text; which of them do is decided by what their documents say where.
select section, key, visibility, first_seen_at, changed_at, group_put_code, group_position, doc
  from orcid.items
 where orcid = :orcid and (key = :text or strpos(lower(doc::text), lower(:quoted)) > 0);

-- name: group_of
-- The versions of an item, the preferred one first.
select key, doc
  from orcid.items
 where orcid = :orcid and section = :section and group_put_code = :group_put_code
 order by group_position;

-- name: gone_items
-- The same for items that are not there any more: by the last line of the feed about each.
with last as (
  select distinct on (f.section, f.key) f.seq, f.op
    from orcid.change_feed as f
   where f.orcid = :orcid and f.section <> 'record' and f.key <> ''
   order by f.section, f.key, f.seq desc
), gone as (
  select f.*
    from last as l
    join orcid.change_feed as f on f.orcid = :orcid and f.seq = l.seq
   where l.op in ('removed', 'withdrawn')
)
select section, key, visibility, at as gone_at, op as gone_op, reason as gone_reason,
       source_modified_at as gone_modified_at, old -> 'doc' as doc
  from gone
 where key = :text or strpos(lower((old -> 'doc')::text), lower(:quoted)) > 0
 order by at desc;
