-- Loading records in bulk from files. How it keeps out of the service's way is told at the top of bulk_load.py.

-- name: connected
select orcid from orcid_sync.connections where state = 'connected';

-- name: standings
select given.orcid, c.state as connection, q.verified_at, q.unconfirmed, coalesce(q.lease_until > now(), false) as leased,
       c.orcid is null and exists (select from orcid_sync.erasures as e where e.orcid = given.orcid) as erased,
       r.state, r.access, r.withheld, r.registry_modified_at
  from unnest(:orcids::text[]) as given (orcid)
  left join orcid_sync.connections as c using (orcid)
  left join orcid_sync.queue as q using (orcid)
  left join orcid.records as r using (orcid);

-- name: lease
-- leased_gen stays: what asked for a read is still to be read.
with free as (
  select q.orcid
    from orcid_sync.queue as q
   where q.orcid = any(:orcids::text[]) and q.lease_until <= now()
   order by q.orcid
     for update skip locked
)
update orcid_sync.queue as q
   set lease_no = q.lease_no + 1, lease_until = now() + :lease::interval
 where q.orcid = any(array(select free.orcid from free))
returning q.orcid, q.lease_no;

-- name: hold
-- KEY SHARE as in queue.sql: keeps new leases out, lets notifications mark the rows.
select q.orcid
  from unnest(:orcids::text[], :lease_nos::bigint[]) as given (orcid, lease_no)
  join orcid_sync.queue as q on q.orcid = given.orcid and q.lease_no = given.lease_no and q.applied_lease_no < q.lease_no
 order by q.orcid
   for key share of q;

-- name: lock_records!
-- Records that nobody follows have no row in the queue to be held.
select orcid from orcid.records where orcid = any(:orcids::text[]) order by orcid for no key update;

-- name: settle!
-- The body is not known, and nothing is verified: the record is still to be read. Where that read is owed to nothing
-- but its connection, and would see no more than the file did, it can wait and is spread over time.
with given as (
  select g.orcid, g.modified_ms
    from unnest(:orcids::text[], :modified_ms::bigint[]) as g (orcid, modified_ms)
), held as materialized (
  select q.orcid, q.lane = 2 and q.verified_at is null and not coalesce(t.scopes = '{}' or t.shown <> '{}' or t.scopes && :limited::text[], false) as can_wait
    from orcid_sync.queue as q
    left join orcid_sync.tokens as t using (orcid)
   where q.orcid = any(:orcids::text[])
   order by q.orcid
     for no key update of q
)
update orcid_sync.queue as q
   set lease_until = '-infinity',
       applied_lease_no = q.lease_no,
       body_digest = null,
       body_access = null,
       registry_modified_ms = coalesce(given.modified_ms, q.registry_modified_ms),
       lane = case when held.can_wait then 4 else q.lane end,
       due_at = case when held.can_wait then now() + :spread::interval * random() else q.due_at end
  from given, held
 where q.orcid = given.orcid and q.orcid = held.orcid;

-- name: release!
update orcid_sync.queue as q
   set lease_until = '-infinity'
  from unnest(:orcids::text[], :lease_nos::bigint[]) as given (orcid, lease_no)
 where q.orcid = given.orcid and q.lease_no = given.lease_no;

-- name: any_connected_meanwhile$
-- iDs that nobody followed when their records were looked at, and somebody does now.
select exists (select from orcid_sync.connections where orcid = any(:orcids::text[]));

-- name: note_progress!
update orcid_sync.runs set outcome = :outcome::jsonb where id = :id and finished_at is null;

-- name: left_at$
-- Where the last load of this archive stood, if it came to no end or to a bad one.
select case when latest.finished_at is null or latest.error is not null then (latest.outcome ->> 'files')::bigint end
  from (
    select outcome, finished_at, error
      from orcid_sync.runs
     where job = :job and (outcome ->> 'archive')::bigint = :archive
     order by started_at desc
     limit 1
  ) as latest;
