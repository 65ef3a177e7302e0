-- The scheduled sweeps: each one idempotent statement, so that it does no harm if two replicas run it at once.

-- name: mark_for_webhooks$
-- iDs whose webhooks are not what they should be and of whom nobody thinks: so many that the lane never holds more. What
-- failed is tried again at its own time, what was begun and is not known to have failed after a day.
with candidates as materialized (
  select distinct work.orcid
    from orcid_sync.webhook_work(:overlap::interval) as work
    left join orcid_sync.webhooks as w on w.orcid = work.orcid and w.generation = work.generation
   where work.act in ('register', 'verify', 'revive', 'remove')
     and (coalesce(w.next_try_at <= now(), true) or work.state = 'registering' and work.act = 'remove')
     and (work.state is null or work.state = 'active'
          or work.state <> 'registering' and work.requested_at < now() - interval '1 day'
          or work.state = 'registering' and work.act = 'remove')
), waiting as materialized (
  select count(*) as number from orcid_sync.queue where lane = 4 and due_at <= now()
), chosen as (
  select q.orcid
    from orcid_sync.queue as q
    join candidates using (orcid)
   where q.gen = q.leased_gen and q.attempts = 0 and q.lease_until <= now()
   limit (select greatest(:limit::bigint - waiting.number, 0) from waiting)
     for update of q skip locked
), marked as (
  update orcid_sync.queue as q
     set gen = q.gen + 1, due_at = least(q.due_at, now()),
         lane = case when q.gen = q.done_gen and q.due_at > now() then 4 else least(q.lane, 4) end
    from chosen where q.orcid = chosen.orcid
  returning 1
)
select count(*)::integer from marked;

-- name: mark_unfinished_disconnections$
-- A worker that had begun before somebody left may have registered a webhook after that was dealt with.
with left_behind as (
  select q.orcid
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where c.state <> 'connected' and q.attempts = 0 and q.lease_until <= now() and q.due_at > now() + interval '1 minute'
     and (
       c.state = 'disconnecting'
       or exists (select from orcid_sync.webhooks as w where w.orcid = q.orcid)
       or exists (select from orcid_sync.retired_tokens as t where t.orcid = q.orcid)
     )
   limit :limit
     for update of q skip locked
), marked as (
  update orcid_sync.queue as q
     set gen = q.gen + 1, due_at = now(), lane = 4
    from left_behind where q.orcid = left_behind.orcid
  returning 1
)
select count(*)::integer from marked;

-- name: bring_checks_nearer$
-- Checks that lie further away than the interval allows: it was shortened. They are spread over the next interval.
-- Only of records that were answered: those that are merged into others are looked at more seldom on purpose.
with late as (
  select q.orcid
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where c.state = 'connected' and q.attempts = 0 and q.lease_until <= now()
     and q.due_at > now() + :interval::interval + interval '1 minute' and q.registry_modified_ms is not null
   limit :limit
     for update of q skip locked
), pulled as (
  update orcid_sync.queue as q
     set due_at = now() + :interval::interval * random()
    from late where q.orcid = late.orcid
  returning 1
)
select count(*)::integer from pulled;

-- name: forget_runs$
with old as (delete from orcid_sync.runs where started_at < now() - :keep::interval returning 1)
select count(*)::integer from old;
