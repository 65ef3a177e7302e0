-- Sending pushes: whose turn it is, what it gets, and what became of it.

-- name: lease
-- Subscriptions that have something to be sent, for whoever asks alone. Those that fail, or were never heard of, have
-- places of their own, so that they take none from the others. An endpoint that is down is tried by one at a time.
with head as materialized (
  select epoch, last from orcid_sync.feed_head
), waiting as (
  select p.subscription_id, s.origin, p.due_at, p.attempts > 0 or p.delivered_at is null as doubtful
    from orcid_sync.push_progress as p
    join orcid_sync.subscriptions as s on s.id = p.subscription_id
   cross join head
    left join orcid_sync.push_endpoints as e on e.origin = s.origin
   where p.paused is null and p.due_at <= now() and p.lease_until <= now()
     and (e.origin is null or e.failures < :circuit or e.paused_until <= now())
     and (p.reached <> head.last or p.epoch <> head.epoch
          or exists (select from orcid_sync.push_ranges as r
                      where r.subscription_id = p.subscription_id and r.state = 'replaying'))
), due as (
  select p.subscription_id, w.origin
    from orcid_sync.push_progress as p
    join (
      (select * from waiting where not doubtful order by due_at limit :proven::bigint)
      union all
      (select * from waiting where doubtful order by due_at limit :doubtful::bigint)
    ) as w using (subscription_id)
   where p.lease_until <= now()
     for no key update of p skip locked
), probes as (
  update orcid_sync.push_endpoints as e
     set paused_until = now() + :lease::interval
   where e.origin in (select due.origin from due) and e.failures >= :circuit and e.paused_until <= now()
  returning e.origin
), chosen as (
  select min(due.subscription_id) as subscription_id from due join probes using (origin) group by origin
  union all
  select due.subscription_id
    from due
   where not exists (select from orcid_sync.push_endpoints as e where e.origin = due.origin and e.failures >= :circuit)
), leased as (
  update orcid_sync.push_progress as p
     set lease_no = p.lease_no + 1, lease_until = now() + :lease::interval
    from chosen
   where p.subscription_id = chosen.subscription_id
  returning p.*
)
select s.id, s.name, s.url, s.origin, s.view, s.sections, s.operations, s.organisations, s.external_ids, s.minor, s.contents,
       s.when_dead, s.revision, p.lease_no, p.attempts, p.failing_since, p.delivered_at,
       p.epoch::text as epoch, p.reached as caught_up, head.epoch::text as feed_epoch, head.last as feed_last,
       r.number as range_number, coalesce(r.reached, p.reached) as reached, coalesce(r.to_seq, head.last) as ends,
       case when r.number is null then p.sending_to else r.sending_to end as sending_to,
       exists (select from orcid_sync.push_endpoints as e where e.origin = s.origin) as endpoint_fails,
       array(select k.secret from orcid_sync.subscription_secrets as k
              where k.subscription_id = s.id and (k.ends_at is null or k.ends_at > now())
              order by k.number desc) as sealed_secrets
  from leased as p
  join orcid_sync.subscriptions as s on s.id = p.subscription_id
 cross join head
  left join lateral (
    select x.number, x.reached, x.to_seq, x.sending_to
      from orcid_sync.push_ranges as x
     where x.subscription_id = p.subscription_id and x.state = 'replaying'
     order by x.number
     limit 1
  ) as r on true
 order by p.due_at;

-- name: seconds_to_next$
-- Until something is due that is not now; null: nothing is.
select extract(epoch from min(greatest(p.due_at, p.lease_until, case when e.failures >= :circuit then e.paused_until end))
         - now())::double precision
  from orcid_sync.push_progress as p
  join orcid_sync.subscriptions as s on s.id = p.subscription_id
 cross join orcid_sync.feed_head as head
  left join orcid_sync.push_endpoints as e on e.origin = s.origin
 where p.paused is null
   and (p.reached <> head.last or p.epoch <> head.epoch
        or exists (select from orcid_sync.push_ranges as r
                    where r.subscription_id = p.subscription_id and r.state = 'replaying'));

-- name: lines
select epoch::text as epoch, seq, orcid, section, key, op, reason, fields, minor, visibility, cause, at, source_modified_at
  from orcid.change_feed
 where seq > :after and seq <= :ends
 order by seq
 limit :limit::bigint;

-- name: contents
select seq, old, new from orcid.change_feed where seq = any(:seqs::bigint[]);

-- name: begin
-- Before a message is sent: where it ends, so that each try says the same. Nothing for those whose lease was lost.
with begun as materialized (
  select * from unnest(:ids::integer[], :lease_nos::bigint[], :range_numbers::integer[], :ends::bigint[])
    as begun (id, lease_no, range_number, sending_to)
), own as (
  update orcid_sync.push_progress as p
     set sending_to = case when begun.range_number is null then begun.sending_to else p.sending_to end
    from begun
   where p.subscription_id = begun.id and p.lease_no = begun.lease_no
  returning p.subscription_id
), ranges as (
  update orcid_sync.push_ranges as r
     set sending_to = begun.sending_to
    from begun join own on own.subscription_id = begun.id
   where r.subscription_id = begun.id and r.number = begun.range_number
)
select subscription_id as id from own;

-- name: pass_over!
-- What was not wanted is done with.
with passed as materialized (
  select * from unnest(:ids::integer[], :lease_nos::bigint[], :range_numbers::integer[], :ends::bigint[])
    as passed (id, lease_no, range_number, reached)
), own as (
  update orcid_sync.push_progress as p
     set reached = case when passed.range_number is null then passed.reached else p.reached end,
         sending_to = case when passed.range_number is null then null else p.sending_to end,
         attempts = 0, failing_since = null, last_error = null, lease_until = '-infinity'
    from passed
   where p.subscription_id = passed.id and p.lease_no = passed.lease_no
  returning p.subscription_id
), moved as (
  update orcid_sync.push_ranges as r
     set reached = passed.reached, sending_to = null
    from passed join own on own.subscription_id = passed.id
   where r.subscription_id = passed.id and r.number = passed.range_number and passed.reached < r.to_seq
)
delete from orcid_sync.push_ranges as r
 using passed join own on own.subscription_id = passed.id
 where r.subscription_id = passed.id and r.number = passed.range_number and passed.reached >= r.to_seq;

-- name: deliver$
update orcid_sync.push_progress
   set reached = case when :range_number::integer is null then :reached else reached end,
       sending_to = case when :range_number::integer is null then null else sending_to end,
       epoch = :epoch::text::uuid, attempts = 0, failing_since = null, last_error = null, delivered_at = now(),
       due_at = now(), lease_until = '-infinity'
 where subscription_id = :id and lease_no = :lease_no
returning true;

-- name: move_range!
update orcid_sync.push_ranges
   set reached = :reached, sending_to = null
 where subscription_id = :id and number = :number and :reached < to_seq;

-- name: end_range!
delete from orcid_sync.push_ranges
 where subscription_id = :id and number = :number and to_seq <= :reached;

-- name: end_ranges!
-- Positions of another epoch mean other changes now.
delete from orcid_sync.push_ranges where subscription_id = :id;

-- name: fail$
update orcid_sync.push_progress
   set attempts = :attempts, failing_since = coalesce(failing_since, now()), last_error = :error,
       due_at = now() + :delay::interval, paused = coalesce(paused, :paused), lease_until = '-infinity'
 where subscription_id = :id and lease_no = :lease_no
returning true;

-- name: pass_dead$
-- The message is given up: it waits in push_ranges, and what comes after it is next.
update orcid_sync.push_progress
   set reached = case when :range_number::integer is null then :reached else reached end,
       sending_to = case when :range_number::integer is null then null else sending_to end,
       attempts = 0, last_error = :error, due_at = now(),
       paused = case when :pauses then coalesce(paused, 'dead') else paused end, lease_until = '-infinity'
 where subscription_id = :id and lease_no = :lease_no
returning true;

-- name: mark_dead!
with numbered as (
  update orcid_sync.push_progress set last_range = last_range + 1
   where subscription_id = :id
  returning subscription_id, last_range
)
insert into orcid_sync.push_ranges (subscription_id, number, state, from_seq, to_seq, reached, error)
select subscription_id, last_range, 'dead', :from_seq::bigint, :to_seq::bigint, :from_seq::bigint - 1, :error
  from numbered;

-- name: mark_range_dead!
update orcid_sync.push_ranges
   set state = 'dead', error = :error, at = now()
 where subscription_id = :id and number = :number;

-- name: release!
update orcid_sync.push_progress
   set lease_until = '-infinity', due_at = now() + :delay::interval, last_error = coalesce(:error, last_error)
 where subscription_id = :id and lease_no = :lease_no;

-- name: endpoint_answers!
delete from orcid_sync.push_endpoints where origin = :origin;

-- name: endpoint_fails$
insert into orcid_sync.push_endpoints as e (origin, failures)
values (:origin, 1)
on conflict (origin) do update set failures = e.failures + 1
returning failures;

-- name: pause_endpoint!
update orcid_sync.push_endpoints set paused_until = now() + :pause::interval where origin = :origin;

-- name: summary
-- Subscriptions by how they are, how far the last of each is behind, and since when.
select case when p.paused = 'by hand' then 'paused' when p.paused is not null then 'stopped'
            when p.attempts > 0 then 'failing' else 'active' end as state,
       count(*) as number,
       max(greatest(h.last - p.reached, 0)) as behind,
       coalesce(extract(epoch from now() - min(c.at)), 0)::double precision as behind_seconds,
       min(s.name) as example
  from orcid_sync.push_progress as p
  join orcid_sync.subscriptions as s on s.id = p.subscription_id
 cross join orcid_sync.feed_head as h
  left join orcid.changes as c on c.seq = p.reached + 1
 group by 1;

-- name: dead$
select count(*) from orcid_sync.push_ranges where state = 'dead';
