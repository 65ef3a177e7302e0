-- What tells whether webhooks still live. About all webhooks together, so that most keys have no orcid.

-- name: beat!
-- A process that was heard of a moment ago has been alive since; after a pause, and with each hour, another row begins.
with last as (
  select i.alive_from, i.alive_until
    from orcid_sync.intake_hours as i
   where i.process = :process
   order by i.alive_from desc
   limit 1
), unbroken as (
  select last.* from last where last.alive_until >= now() - :tolerance::interval
), going as (
  update orcid_sync.intake_hours as i
     set alive_until = now(),
         notifications = i.notifications + :notifications::bigint,
         heard_at = case when :notifications::bigint > 0 then now() else i.heard_at end
    from unbroken
   where i.process = :process and i.alive_from = unbroken.alive_from
     and date_trunc('hour', unbroken.alive_from, 'UTC') = date_trunc('hour', now(), 'UTC')
  returning 1
)
insert into orcid_sync.intake_hours (process, alive_from, alive_until, notifications, heard_at)
select :process, coalesce((select alive_until from unbroken), now()), now(), :notifications::bigint,
       case when :notifications::bigint > 0 then now() end
 where not exists (select from going);

-- name: outages
-- What lies between the spans in which somebody was alive, and silences that are over. The time since the last beat
-- counts only once another one is overdue.
with alive as (
  select range_agg(tstzrange(i.alive_from, i.alive_until, '[]')) as spans, min(i.alive_from) as first
    from orcid_sync.intake_hours as i
), silent as (
  select coalesce(range_agg(tstzrange(a.began_at, a.ended_at)), '{}'::tstzmultirange) as spans
    from orcid_sync.alarms as a
   where a.kind = 'silence' and a.ended_at > now() - :keep::interval
), gaps as (
  select unnest(tstzmultirange(tstzrange(alive.first, greatest(alive.first, now()), '[]')) - alive.spans + silent.spans) as gap
    from alive, silent
   where alive.first is not null
)
select lower(gap) as began, upper(gap) as ended
  from gaps
 where upper(gap) < now() or lower(gap) < now() - :tolerance::interval
 order by began;

-- name: hours
-- Of each hour: how long somebody was alive, and what came.
with spans as (
  select date_trunc('hour', i.alive_from, 'UTC') as began,
         range_agg(tstzrange(i.alive_from, i.alive_until, '[]')) as alive,
         sum(i.notifications)::bigint as notifications
    from orcid_sync.intake_hours as i
   group by 1
)
select spans.began, spans.notifications,
       (select coalesce(sum(upper(span) - lower(span)), '0') from unnest(spans.alive) as span) as alive
  from spans
 order by spans.began;

-- name: last_signs^
select max(alive_until) as alive_at, max(heard_at) as heard_at from orcid_sync.intake_hours;

-- name: forget!
with hours as (delete from orcid_sync.intake_hours where alive_until < now() - :keep::interval),
     ended as (delete from orcid_sync.alarms where ended_at < now() - :keep::interval)
delete from orcid_sync.evidence where day < current_date - 365;

-- name: webhook_registered_at$
-- Since when the iD has a webhook that should announce its changes; null: it has none.
select w.registered_at
  from orcid_sync.webhooks as w
  join orcid_sync.callback_generations as g on g.number = w.generation and g.present_since is not null
 where w.orcid = :orcid and w.state in ('active', 'verifying');

-- name: called!
-- ORCID called: the webhooks of the iD live. (Which of two it was during a rotation is not known; both are young then.)
update orcid_sync.webhooks
   set last_called_at = greatest(last_called_at, :at), missed = 0, suspect_since = null
 where orcid = :orcid and state in ('active', 'verifying');

-- name: missed!
update orcid_sync.webhooks
   set missed = missed + 1, suspect_since = coalesce(suspect_since, now()), awaited_since = null
 where orcid = :orcid and state in ('active', 'verifying');

-- name: await_notification!
update orcid_sync.webhooks
   set awaited_since = least(awaited_since, :changed_at)
 where orcid = :orcid and state in ('active', 'verifying');

-- name: count!
insert into orcid_sync.evidence as e (day, announced, within_grace, missed)
values ((now() at time zone 'UTC')::date, :announced::bigint, :within_grace::bigint, :missed::bigint)
on conflict (day) do update
   set announced = e.announced + excluded.announced,
       within_grace = e.within_grace + excluded.within_grace,
       missed = e.missed + excluded.missed;

-- name: decide_awaited
-- What was awaited came, or the webhook was made anew meanwhile, or it is too late.
with decided as (
  select w.orcid, w.generation,
         case
           when w.registered_at > w.awaited_since then 'void'
           when greatest(w.last_called_at, q.notified_at) >= w.awaited_since - :skew::interval then 'within_grace'
           else 'missed'
         end as verdict
    from orcid_sync.webhooks as w
    join orcid_sync.queue as q using (orcid)
   where w.awaited_since is not null
     and (w.registered_at > w.awaited_since
          or greatest(w.last_called_at, q.notified_at) >= w.awaited_since - :skew::interval
          or greatest(w.awaited_since, :up_since::timestamptz) < now() - :grace::interval)
   limit :limit::bigint
     for no key update of w skip locked
), marked as (
  update orcid_sync.webhooks as w
     set awaited_since = null,
         missed = case when decided.verdict = 'missed' then w.missed + 1 else w.missed end,
         suspect_since = case when decided.verdict = 'missed' then coalesce(w.suspect_since, now()) else w.suspect_since end
    from decided
   where w.orcid = decided.orcid and w.generation = decided.generation
)
select verdict, count(distinct orcid) as number from decided group by verdict;

-- name: verdicts^
-- Of the last so many days, today included.
select coalesce(sum(announced), 0)::bigint as announced, coalesce(sum(within_grace), 0)::bigint as within_grace,
       coalesce(sum(missed), 0)::bigint as missed
  from orcid_sync.evidence
 where day > (now() at time zone 'UTC')::date - :days::integer;

-- name: webhooks^
-- Those that may be lost are the ones that were not seen alive since a moment; those under suspicion and those awaited.
select (select count(*)
          from orcid_sync.webhooks as w
          join orcid_sync.callback_generations as g on g.number = w.generation and g.present_since is not null
          join orcid_sync.connections as c on c.orcid = w.orcid and c.state = 'connected'
         where w.state in ('active', 'verifying', 'reviving')
           and coalesce(greatest(w.registered_at, w.last_called_at), '-infinity') < :alive_since::timestamptz) as lost,
       (select count(*) from orcid_sync.webhooks as w where w.state = 'reviving') as reviving,
       (select count(*) from orcid_sync.webhooks as w where w.suspect_since is not null) as suspect,
       (select count(*) from orcid_sync.webhooks as w where w.awaited_since is not null) as awaited;

-- name: heard_of$
-- When an iD was last heard of, or began to be followed; null: it is not connected.
select greatest(c.connected_at, q.notified_at, (select max(w.last_called_at) from orcid_sync.webhooks as w where w.orcid = c.orcid))
  from orcid_sync.connections as c
  join orcid_sync.queue as q using (orcid)
 where c.orcid = :orcid and c.state = 'connected';

-- name: watching$
-- One replica at a time.
select pg_try_advisory_xact_lock(x'6f72636964686561'::bigint);

-- name: raise_alarm!
insert into orcid_sync.alarms as a (kind, began_at) values (:kind, :began_at)
on conflict (kind, began_at) do update set ended_at = null;

-- name: end_alarm!
update orcid_sync.alarms
   set ended_at = greatest(began_at, :ended_at)
 where kind = :kind and ended_at is null;

-- name: open_alarms
select kind, began_at from orcid_sync.alarms where ended_at is null;

-- name: switched_on$
-- Whether ORCID is asked to notify us.
select exists (select from orcid_sync.callback_generations where present_since is not null);

-- name: now$
select now();

-- name: days
-- How changes were found, day by day, the latest first.
select day, announced, within_grace, missed from orcid_sync.evidence order by day desc limit :days::bigint;

-- name: alarms
-- The latest first; those that last before those that are over.
select kind, began_at, ended_at
  from orcid_sync.alarms
 order by ended_at is null desc, began_at desc
 limit :limit::bigint;
