-- How much happened, hour by hour.

-- name: hourly_counts
-- Where each hour begins in the feed is found by bisection: positions are in the order of commits, so that a chart of
-- two days costs the same whether a thousand changes fall into them or ten million. Positions may be missing (somebody
-- was erased); a stretch without any tells nothing and is passed over.
with recursive head as materialized (
  select last from orcid_sync.feed_head
), search (began, low, high) as (
  select h.began, 0::bigint, head.last
    from head
   cross join generate_series(
           date_trunc('hour', now(), 'UTC') - (:hours::integer - 1) * interval '1 hour', date_trunc('hour', now(), 'UTC'),
           '1 hour'
         ) as h (began)
  union all
  select s.began,
         case when probe.seq is null then middle.seq when probe.at < s.began then probe.seq else s.low end,
         case when probe.at >= s.began then probe.seq - 1 else s.high end
    from search as s
   cross join lateral (select (s.low + s.high + 1) / 2 as seq) as middle
    left join lateral (
      select c.seq, c.at from orcid.changes as c where c.seq > s.low and c.seq <= middle.seq order by c.seq desc limit 1
    ) as probe on true
   where s.low < s.high
), starts as (
  select s.began, s.low as before from search as s where s.low >= s.high
), heard as (
  select date_trunc('hour', i.alive_from, 'UTC') as began, sum(i.notifications)::bigint as notifications
    from orcid_sync.intake_hours as i
   where i.alive_from >= (select min(starts.began) from starts)
   group by 1
)
select starts.began,
       lead(starts.before, 1, head.last) over (order by starts.began) - starts.before as changes,
       coalesce(heard.notifications, 0) as notifications
  from starts
 cross join head
  left join heard using (began)
 order by starts.began;
