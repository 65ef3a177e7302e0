-- Sending once more what is dead, or a part of the feed.

-- name: ranges
select r.number, r.state, r.from_seq, r.to_seq, r.reached, r.error, r.at, s.name
  from orcid_sync.push_ranges as r
  join orcid_sync.subscriptions as s on s.id = r.subscription_id
 where :name::text is null or s.name = :name
 order by s.name, r.number;

-- name: replay_dead
-- Dead messages are sent again, in their order, before anything else of the subscription.
update orcid_sync.push_ranges as r
   set state = 'replaying', at = now()
  from orcid_sync.subscriptions as s
 where s.id = r.subscription_id and s.name = :name and r.state = 'dead'
   and (:number::integer is null or r.number = :number)
returning r.number;

-- name: discard_dead
delete from orcid_sync.push_ranges as r
 using orcid_sync.subscriptions as s
 where s.id = r.subscription_id and s.name = :name and r.state = 'dead'
   and (:number::integer is null or r.number = :number)
returning r.number;

-- name: replay_range^
-- A part of the feed once more, as far as the subscription has come.
with numbered as (
  update orcid_sync.push_progress as p set last_range = p.last_range + 1
    from orcid_sync.subscriptions as s
   where s.id = p.subscription_id and s.name = :name and :from_seq::bigint <= least(:to_seq::bigint, p.reached)
  returning p.subscription_id, p.last_range, p.reached
)
insert into orcid_sync.push_ranges (subscription_id, number, state, from_seq, to_seq, reached)
select subscription_id, last_range, 'replaying', :from_seq::bigint, least(:to_seq::bigint, numbered.reached),
       :from_seq::bigint - 1
  from numbered
returning from_seq, to_seq;

-- name: hurry!
update orcid_sync.push_progress as p
   set due_at = now()
  from orcid_sync.subscriptions as s
 where s.id = p.subscription_id and s.name = :name;
