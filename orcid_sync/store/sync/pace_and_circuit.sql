-- One token bucket for each ORCID API client, shared by all replicas and lanes: GCRA, by reservation. Why the shares are
-- right is told at the top of pace.py. Only the database's clock counts, and clock_timestamp() rather than now(), read
-- after the row is ours: a statement may have waited for it. If it was set back, not_past() forgets what it said (F85).

-- name: create!
insert into orcid_sync.pace (client_id, rate) values (:client_id, :rate)
on conflict (client_id) do nothing;

-- name: reserve^
-- ahead: in how many seconds the next moment comes; below 0 it is one of a burst. Within its share a lane books it
-- however far ahead that is, beyond its share only up to its horizon. Whoever is given nothing leaves no dead row.
with held as materialized (
  select * from orcid_sync.pace where client_id = :client_id for update
), clock as materialized (
  select held.*, clock_timestamp() as at,
         (clock_timestamp() at time zone 'utc')::date as today
    from held
), speeds as (
  select clock.*, orcid_sync.present_rate(:rate::float8, rate, slowed_at, at) as speed,
         orcid_sync.present_rate(:rate::float8, rate, slowed_at, at) * :share::float8 as lane_speed,
         case when day = today then used else 0 end as used_today,
         greatest(
           orcid_sync.not_past(paused_until, at, interval '1 minute'),
           orcid_sync.not_past(silent_until, at, interval '1 hour'),
           orcid_sync.not_past(used_up_until, at, interval '1 hour')
         ) as free_at
    from clock
), state as materialized (
  select speeds.*,
         orcid_sync.not_past(tat, at, make_interval(secs => greatest(60, 20 / speed))) as next_at,
         greatest(
           case when lane_tats[:lane::integer + 1] <= at then lane_tats[:lane::integer + 1] end,
           at - make_interval(secs => 0.25 + 1 / lane_speed)
         ) as lane_from,
         doubted and free_at = at as probing,
         case
           when :allowance::bigint <= used_today then extract(epoch from (today + 1)::timestamp at time zone 'utc' - at)
           else extract(epoch from free_at - at)
         end::float8 as pause
    from speeds
), claims as materialized (
  select state.*,
         extract(epoch from next_at - at)::float8 - (greatest(:burst::integer, 1) - 1) / :rate::float8 as ahead,
         floor(extract(epoch from at - lane_from) * lane_speed)::bigint as shared
    from state
), decided as materialized (
  select claims.*,
         case
           when pause > 0 then 0
           when probing then 1
           else least(:wanted::bigint, coalesce(:allowance::bigint - used_today, :wanted::bigint), greatest(
             shared, case when ahead <= :horizon::float8 then floor((:horizon::float8 - ahead) * speed)::bigint + 1 end))
         end as given
    from claims
), written as (
  update orcid_sync.pace as p
     set tat = next_at + make_interval(secs => given / speed),
         lane_tats[:lane::integer + 1] = lane_from + make_interval(secs => least(shared, given) / lane_speed),
         probes = d.probes + probing::integer,
         paused_until = case when probing then at + orcid_sync.circuit_pause(d.probes + 1) else p.paused_until end,
         day = today,
         used = used_today + given,
         ceiling = :rate::float8,
         daily_requests = :daily_requests::bigint
    from decided as d
   where p.client_id = :client_id and d.given > 0
)
select given, probing, 1 / speed as spacing, pause, used_today as used_before, used_today + given as used,
       case when day < today then used end as used_that_day,
       ahead - extract(epoch from clock_timestamp() - at)::float8 as seconds,
       least(ahead + given / speed - :horizon::float8,
             (1 + least(shared, given) - extract(epoch from at - lane_from) * lane_speed) / lane_speed)::float8 as again
  from decided;

-- name: is_troubled$
-- A healthy Registry costs this and no more, once a second in each process.
select failures > 0 or doubted
  from orcid_sync.pace
 where client_id = :client_id;

-- name: hold_health^
with held as materialized (
  select * from orcid_sync.pace where client_id = :client_id for update
), clock as materialized (
  select held.*, clock_timestamp() as at from held
)
select at, failures, crowded, failing_ids, doubted, away,
       extract(epoch from at - failing_since)::float8 as failing_seconds,
       orcid_sync.present_rate(:rate::float8, rate, slowed_at, at) as rate,
       extract(epoch from at - slowed_at)::float8 as slowed_seconds,
       coalesce(greatest(0, extract(epoch from at - window_at)), 0)::float8 as window_seconds,
       case when window_at is null then 0 when used < window_used then used else used - window_used end
         as window_sent,
       window_refused, sent_before, refused_before
  from clock;

-- name: keep_health!
-- A doubt that goes on keeps its pause; where it is new, the fixed question is asked at once.
update orcid_sync.pace
   set failures = :failures,
       crowded = :crowded,
       failing_ids = :failing_ids,
       failing_since = :at::timestamptz - make_interval(secs => :failing_seconds::float8),
       doubted = :doubted,
       away = :away,
       probes = case when :doubted and doubted then probes else 0 end,
       paused_until = case when :doubted and doubted then paused_until else '-infinity' end,
       rate = case when :slowed then :rate::float8 else rate end,
       slowed_at = case when :slowed then :at::timestamptz else slowed_at end,
       silent_until = greatest(silent_until, :at::timestamptz + make_interval(secs => :silence::float8)),
       window_at = :at::timestamptz - make_interval(secs => :window_seconds::float8),
       window_used = used - :window_sent::bigint,
       window_refused = :window_refused,
       sent_before = :sent_before,
       refused_before = :refused_before
 where client_id = :client_id;

-- name: report_used_up$
-- True if that is news.
update orcid_sync.pace
   set used_up_until = clock_timestamp() + make_interval(secs => :seconds::float8)
 where client_id = :client_id and used_up_until <= clock_timestamp()
returning true;

-- name: load
select client_id, coalesce(ceiling, rate) as ceiling,
       orcid_sync.present_rate(coalesce(ceiling, rate), rate, slowed_at, now()) as rate,
       case when orcid_sync.present_rate(coalesce(ceiling, rate), rate, slowed_at, now()) < coalesce(ceiling, rate)
         then slowed_at end as slowed_at,
       failures, failing_since, doubted, away,
       extract(epoch from orcid_sync.not_past(paused_until, now(), interval '1 minute') - now())::float8
         as paused_seconds,
       extract(epoch from orcid_sync.not_past(silent_until, now(), interval '1 hour') - now())::float8
         as silent_seconds,
       extract(epoch from orcid_sync.not_past(used_up_until, now(), interval '1 hour') - now())::float8
         as used_up_seconds,
       case when day = (now() at time zone 'utc')::date then used else 0 end as used,
       daily_requests,
       extract(epoch from ((now() at time zone 'utc')::date + 1)::timestamp at time zone 'utc' - now())::float8
         as day_ends_seconds
  from orcid_sync.pace
 where :client_id::text is null or client_id = :client_id::text
 order by client_id;
