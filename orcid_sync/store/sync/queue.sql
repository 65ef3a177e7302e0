-- The queue. Why these statements are right is told at the top of queue.py.

-- name: mark_due
-- Lazy: a row that a lease still to come will cover, soon and in this lane or a better one, is not written. (A second
-- sooner is not worth a write: marks at the same time would each be "sooner" by their microseconds.) Rows are locked in
-- the order of their iDs, so that two marks cannot deadlock.
with wanted as (
  select q.orcid
    from orcid_sync.queue as q
   where q.orcid = any(:orcids::text[])
     and (
       q.gen = q.leased_gen
       or q.due_at > now() + :delay::interval + interval '1 second'
       or q.lane > :lane::smallint
     )
   order by q.orcid
     for no key update
), marked as (
  update orcid_sync.queue as q
     set gen = q.gen + 1,
         due_at = least(q.due_at, now() + :delay::interval),
         -- Where nothing is owed, the lane is that of a routine read to come, which must not lend it to a sweep.
         lane = case when q.gen = q.done_gen and q.due_at > now() then :lane::smallint
                     else least(q.lane, :lane::smallint) end,
         notified_at = case when :lane::smallint = 0 then now() else q.notified_at end
   where q.orcid = any(array(select wanted.orcid from wanted))
  returning q.orcid, q.gen
)
-- Where another mark came first while this one waited for the row, the snapshot shows the gen before it; the lease that
-- covers either is the first after leased_gen.
select q.orcid, coalesce(marked.gen, greatest(q.gen, q.leased_gen + 1)) as gen
  from orcid_sync.queue as q
  left join marked using (orcid)
 where q.orcid = any(:orcids::text[]);

-- name: unfinished
select q.orcid, q.last_error
  from unnest(:orcids::text[], :gens::bigint[]) as wanted (orcid, gen)
  join orcid_sync.queue as q using (orcid)
 where q.done_gen < wanted.gen;

-- name: lease_due
-- The outer limit stops the walk over the lanes (in their order) as soon as it has enough, and with it the locking.
-- FOR UPDATE also steps over rows that are being held (FOR KEY SHARE). The array keeps the planner from joining by a
-- scan of the whole table.
with due as (
  select next.orcid
    from unnest(:lanes::smallint[]) as lanes (lane)
   cross join lateral (
     select q.orcid
       from orcid_sync.queue as q
      where q.lane = lanes.lane and q.due_at <= now() and q.lease_until <= now()
      order by q.due_at
      limit :limit::bigint
        for update skip locked
   ) as next
   limit :limit::bigint
), leased as (
  update orcid_sync.queue as q
     set lease_no = q.lease_no + 1,
         leased_gen = q.gen,
         lease_until = now() + :lease::interval
   where q.orcid = any(array(select due.orcid from due))
  returning q.*
)
select orcid, lease_no, leased_gen, done_gen, lane, attempts, now() as leased_at, second_look_at, notified_at,
       verified_at, registry_modified_ms, body_digest, body_access, unconfirmed, unconfirmed_at
  from leased
 order by lane, due_at;

-- name: extend$
update orcid_sync.queue
   set lease_until = now() + :duration::interval
 where orcid = :orcid and lease_no = :lease_no
returning true;

-- name: hold$
-- KEY SHARE keeps new leases out (they take FOR UPDATE), but lets notifications mark the row while it is held.
select true
  from orcid_sync.queue
 where orcid = :orcid and lease_no = :lease_no and applied_lease_no < :lease_no
   for key share;

-- name: hold_alone$
select true
  from orcid_sync.queue
 where orcid = :orcid and lease_no = :lease_no and applied_lease_no < :lease_no
   for no key update;

-- name: settle$
-- What waits for a second answer stays through failures, which tell nothing; any answer that says something else ends it.
update orcid_sync.queue as q
   set done_gen = case when :done then q.leased_gen else q.done_gen end,
       due_at = case
         when q.gen > q.leased_gen then now() + :grace::interval
         when :done then least(now() + :due_in::interval, now() + :second_look_in::interval)
         when q.second_look_at > now() then least(now() + :due_in::interval, q.second_look_at)
         else now() + :due_in::interval
       end,
       lane = case when q.gen > q.leased_gen then q.lane else :lane::smallint end,
       lease_until = '-infinity',
       attempts = :attempts,
       last_error = :error,
       second_look_at = case when :done then now() + :second_look_in::interval else q.second_look_at end,
       verified_at = case when :verified then now() else q.verified_at end,
       applied_lease_no = case when :applied then q.lease_no else q.applied_lease_no end,
       body_digest = case when :applied then :body_digest else q.body_digest end,
       body_access = case when :applied then :body_access else q.body_access end,
       registry_modified_ms = case when :applied then :registry_modified_ms else q.registry_modified_ms end,
       unconfirmed = coalesce(:unconfirmed, case when not :done and not :applied then q.unconfirmed end),
       unconfirmed_at = case
         when :unconfirmed is distinct from q.unconfirmed and :unconfirmed is not null then now()
         when :unconfirmed is not null or not :done and not :applied then q.unconfirmed_at
       end
 where q.orcid = :orcid and q.lease_no = :lease_no
returning true;

-- name: disregard!
-- The next answer is compared with the mirror even if it is the last one again: the mirror is not what that one said.
update orcid_sync.queue
   set body_digest = null, body_access = :body_access
 where orcid = :orcid and lease_no = :lease_no;

-- name: release!
update orcid_sync.queue
   set lease_until = '-infinity'
 where orcid = :orcid and lease_no = :lease_no;

-- name: seconds_to_next$
select extract(epoch from min(greatest(next.due_at, now())) - now())::double precision
  from unnest(:lanes::smallint[]) as lanes (lane)
 cross join lateral (
   select q.due_at
     from orcid_sync.queue as q
    where q.lane = lanes.lane and q.lease_until <= now()
    order by q.due_at
    limit 1
 ) as next;

-- name: depth
select lanes.lane,
       count(q.orcid) filter (where q.lease_until <= now()) as due,
       count(q.orcid) filter (where q.lease_until > now()) as leased,
       count(q.orcid) filter (where q.attempts > 0) as failing,
       coalesce(extract(epoch from now() - min(q.due_at) filter (where q.lease_until <= now())), 0)::double precision
         as oldest_seconds
  from unnest('{0,1,2,3,4}'::smallint[]) as lanes (lane)
  left join orcid_sync.queue as q on q.lane = lanes.lane and q.due_at <= now()
 group by lanes.lane
 order by lanes.lane;

-- name: wake$
select pg_notify(:channel, '');
