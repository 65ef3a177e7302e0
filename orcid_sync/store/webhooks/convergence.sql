-- How far ORCID's webhooks are from what they should be, and what is to be done about it, for operators.

-- name: work
select work.generation, work.act, count(*) as number
  from orcid_sync.webhook_work(:overlap::interval) as work
 group by work.generation, work.act;

-- name: visits^
-- iDs of which something can be done now: how many wait for their turn, or failed and are tried again later.
with open as materialized (
  select work.orcid, bool_or(coalesce(w.attempts > 0, false)) as failing
    from orcid_sync.webhook_work(:overlap::interval) as work
    left join orcid_sync.webhooks as w on w.orcid = work.orcid and w.generation = work.generation
   where work.act in ('register', 'verify', 'revive', 'remove')
   group by work.orcid
)
select count(*) as total,
       count(*) filter (where q.gen > q.done_gen and q.attempts = 0 and not open.failing) as waiting,
       count(*) filter (where q.attempts > 0 or open.failing) as failing
  from open
  join orcid_sync.queue as q using (orcid);

-- name: open_orcids
-- iDs of which something can be done now and that do not wait for their turn yet; `again`: also those that were tried.
select distinct work.orcid
  from orcid_sync.webhook_work(:overlap::interval) as work
  join orcid_sync.queue as q on q.orcid = work.orcid
 where work.act in ('register', 'verify', 'revive', 'remove')
   and (q.gen = q.done_gen or :again and q.due_at > now())
   and (:again or work.state is null or work.state = 'active' or work.act = 'remove')
 order by work.orcid;

-- name: try_now!
-- What failed is not put off any longer.
update orcid_sync.webhooks set next_try_at = null where orcid = any(:orcids::text[]) and attempts > 0;

-- name: facts^
select now() as at,
       (select count(*) from orcid_sync.connections where state = 'connected') as connected,
       (select count(*) from orcid_sync.webhooks where suspect_since is not null) as suspects,
       (select min(requested_at) from orcid_sync.webhooks where state <> 'active') as oldest_requested_at,
       exists (
         select from pg_stat_activity
          where datname = current_database() and application_name = 'orcid_sync worker'
       ) or exists (
         select from orcid_sync.runs where started_at > now() - interval '6 minutes'
       ) as at_work;

-- name: verified^
select count(*) as verified, count(*) filter (where registered_at = verified_at) as missing
  from orcid_sync.webhooks
 where verified_at >= :since;

-- name: connected_after
select orcid from orcid_sync.connections
 where state = 'connected' and orcid > :after
 order by orcid
 limit :limit::bigint;

-- name: strangers
-- iDs that we followed once, or that somebody consented for, and do not follow now.
select orcid::text as orcid from orcid_sync.connections where state <> 'connected'
union
select e.orcid::text from orcid_sync.consents as e
 where e.orcid is not null
   and not exists (select from orcid_sync.connections as c where c.orcid = e.orcid and c.state = 'connected')
order by orcid;

-- name: expect$
-- Any webhook that can be derived may exist: the present one is made anew, older ones go as in a rotation.
with them as materialized (
  select q.orcid
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where q.orcid = any(:orcids::text[]) and c.state = 'connected'
   order by q.orcid
     for no key update of q
), expected as (
  insert into orcid_sync.webhooks as w (orcid, generation, state)
  select them.orcid, g.number, case when g.present_since is null then 'registering' else 'reviving' end
    from them
   cross join orcid_sync.callback_generations as g
   where g.derivable
  on conflict (orcid, generation) do update
     set state = excluded.state, requested_at = clock_timestamp(), attempts = 0, next_try_at = null, error = null
   where excluded.state = 'reviving'
), due as (
  update orcid_sync.queue as q
     set gen = q.gen + 1, due_at = least(q.due_at, now()),
         lane = case when q.gen = q.done_gen and q.due_at > now() then 4 else least(q.lane, 4) end
    from them where q.orcid = them.orcid
  returning 1
)
select count(*) from due;

-- name: expect_of_strangers$
-- The same of iDs that are not followed: all of theirs are to be removed.
with them as materialized (
  select q.orcid
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where q.orcid = any(:orcids::text[]) and c.state <> 'connected'
   order by q.orcid
     for no key update of q
), expected as (
  insert into orcid_sync.webhooks as w (orcid, generation, state)
  select them.orcid, g.number, 'removing' from them cross join orcid_sync.callback_generations as g where g.derivable
  on conflict (orcid, generation) do update
     set state = excluded.state, requested_at = clock_timestamp(), attempts = 0, next_try_at = null, error = null
), due as (
  update orcid_sync.queue as q
     set gen = q.gen + 1, due_at = now(), lane = 4
    from them where q.orcid = them.orcid
  returning 1
)
select count(*) from due;
