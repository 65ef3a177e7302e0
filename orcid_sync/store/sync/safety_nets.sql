-- How far each net has looked, and what it says is due.

-- name: lease^
-- The net for this replica alone; nothing if another one has it (invariant S17). A sweep that was interrupted goes on.
insert into orcid_sync.nets as n (name, began_at, lease_no, lease_until)
values (:name, now(), 1, now() + :lease::interval)
on conflict (name) do update
   set began_at = coalesce(n.began_at, now()),
       lease_no = n.lease_no + 1,
       lease_until = now() + :lease::interval
 where n.lease_until <= now()
returning name, since, began_at, reached, lease_no;

-- name: reach$
update orcid_sync.nets
   set reached = :reached, lease_until = now() + :lease::interval
 where name = :name and lease_no = :lease_no
returning true;

-- name: finish$
-- The sweep is over: the next one looks for what changed since.
update orcid_sync.nets
   set since = greatest(since, :since::timestamptz), began_at = null, reached = '', lease_until = '-infinity'
 where name = :name and lease_no = :lease_no
returning true;

-- name: release!
update orcid_sync.nets
   set lease_until = '-infinity'
 where name = :name and lease_no = :lease_no;

-- name: next_connected
-- The next connected iDs that were read at least once, with the date of the record as it was read last.
select q.orcid, to_timestamp(q.registry_modified_ms / 1000.0) as modified_at
  from orcid_sync.queue as q
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected' and q.orcid > :after and q.verified_at is not null
 order by q.orcid
 limit :limit::bigint;

-- name: behind
-- Of these iDs those that we follow and have read in an older state, or never.
select q.orcid
  from unnest(:orcids::text[], :dates::timestamptz[]) as listed (orcid, modified_at)
  join orcid_sync.queue as q using (orcid)
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected'
   and coalesce(to_timestamp(q.registry_modified_ms / 1000.0) < listed.modified_at, true);

-- name: load
select name, since, began_at, reached, lease_until > now() as leased from orcid_sync.nets order by name;
