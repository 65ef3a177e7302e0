-- One token bucket for each ORCID API client, shared by all replicas: GCRA, by reservation. Only the database's clock
-- counts, and clock_timestamp() rather than now(): a statement may have waited for the row.
-- The present rate, in three of these statements: the configured one, or since a slow-down the lowered one plus 5 % of
-- the configured one for each minute.

-- name: create!
insert into orcid_sync.pace (client_id, rate) values (:client_id, :rate)
on conflict (client_id) do nothing;

-- name: reserve^
-- tat is when the next request would be sent if all came evenly spaced; one may be sent up to `burst` spaces earlier.
with present as materialized (
  select clock_timestamp() as at,
         least(:rate::float8, case when slowed_at is null then :rate::float8 else
           rate + 0.05 * :rate::float8 * extract(epoch from clock_timestamp() - slowed_at) / 60 end)::float8 as rate
    from orcid_sync.pace
   where client_id = :client_id
     for update
), reserved as (
  update orcid_sync.pace as p
     set tat = greatest(p.tat, p.paused_until, present.at) + make_interval(secs => 1 / present.rate)
    from present
   where p.client_id = :client_id
  returning greatest(p.tat - make_interval(secs => (1 + :burst::integer) / present.rate), p.paused_until, present.at)
              as send_at
)
select send_at, greatest(extract(epoch from send_at - clock_timestamp()), 0)::float8 as seconds
  from reserved;

-- name: slow_down$
-- Requests that were on their way when the Registry said "too fast" say it again: one halving in five seconds.
update orcid_sync.pace
   set rate = greatest(least(:rate::float8, 0.5), 0.5 * least(:rate::float8,
         case when slowed_at is null then :rate::float8 else
           rate + 0.05 * :rate::float8 * extract(epoch from clock_timestamp() - slowed_at) / 60 end)),
       slowed_at = clock_timestamp()
 where client_id = :client_id and (slowed_at is null or slowed_at < clock_timestamp() - interval '5 seconds')
returning rate;

-- name: report_failure$
-- The circuit opens at the fifth failure in a row, for 5 s; each failure after a pause doubles the next one, to a minute.
-- What fails during a pause was on its way before it, and says nothing new.
update orcid_sync.pace
   set failures = failures + 1,
       failing_since = coalesce(failing_since, clock_timestamp()),
       paused_until = case
         when failures + 1 < 5 then paused_until
         else clock_timestamp() + least(interval '60 seconds', interval '5 seconds' * 2 ^ least(failures + 1 - 5, 10))
       end
 where client_id = :client_id and paused_until <= clock_timestamp()
returning failures = 5;

-- name: report_success$
-- Writes only if there was a failure: a healthy Registry costs nothing here. Answers how long the outage lasted.
with before as materialized (
  select failures, failing_since
    from orcid_sync.pace
   where client_id = :client_id and failures > 0
     for update
), closed as (
  update orcid_sync.pace as p
     set failures = 0, failing_since = null, paused_until = '-infinity'
    from before
   where p.client_id = :client_id
  returning before.failures, before.failing_since
)
select extract(epoch from clock_timestamp() - failing_since)::float8
  from closed
 where failures >= 5;

-- name: fall_silent!
update orcid_sync.pace
   set paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => :seconds::float8))
 where client_id = :client_id and :seconds::float8 > 0;

-- name: pause$
select greatest(extract(epoch from paused_until - clock_timestamp()), 0)::float8
  from orcid_sync.pace
 where client_id = :client_id and paused_until > clock_timestamp();

-- name: load^
select least(:rate::float8, case when slowed_at is null then :rate::float8 else
         rate + 0.05 * :rate::float8 * extract(epoch from clock_timestamp() - slowed_at) / 60 end)::float8 as rate,
       slowed_at, failures, failing_since, paused_until > clock_timestamp() as paused
  from orcid_sync.pace
 where client_id = :client_id;
