-- After a restore, or a fail-over that lost commits: what is in the database is older than what others have seen of it.
--
-- Readers of the feed may remember positions that are given out again for other changes: a new epoch tells them.
-- Notifications and changes may be lost: every connected iD is read again. And a worker that was not stopped may hold a
-- lease whose number is given out again, too; its read is older than the lease that it would pass for, so it must not
-- end it. Hence lease numbers leap ahead of all that can have been lost, and whatever is leased is free.
--
-- Rows are locked in the order of their iDs, as marks do it, and the feed's head after them: it may run beside the service.

create function orcid_sync.new_epoch(spread interval default interval '1 day') returns uuid
  language sql
begin atomic
  with known as materialized (
    select q.orcid, c.state = 'connected' as connected, now() + new_epoch.spread * random() as at
      from orcid_sync.queue as q
      join orcid_sync.connections as c using (orcid)
     order by q.orcid
       for no key update of q
  )
  update orcid_sync.queue as q
     set lease_no = q.lease_no + 1000000000,
         lease_until = '-infinity',
         gen = case when known.connected then q.gen + 1 else q.gen end,
         due_at = case when known.connected then least(q.due_at, known.at) else q.due_at end,
         -- What is due earlier anyway keeps its place.
         lane = case when known.connected and known.at < q.due_at then 4 else q.lane end
    from known
   where q.orcid = known.orcid;
  update orcid_sync.feed_head set epoch = gen_random_uuid() returning epoch;
end;
revoke all on function orcid_sync.new_epoch from public;
comment on function orcid_sync.new_epoch is 'To be called once after a restore, or a fail-over that lost commits: gives the change feed a new epoch, so that its readers start again, has every connected iD read again within the given time, and returns the epoch.';
