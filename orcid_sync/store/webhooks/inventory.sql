-- The inventory of webhooks: ORCID has no list call (contract section 1.1).

-- name: begin!
-- Written before ORCID is told. If there is no row, there was no webhook that we know of.
insert into orcid_sync.webhooks as w (orcid, generation, state, requested_at)
select c.orcid, :generation, :state, clock_timestamp() from orcid_sync.connections as c where c.orcid = :orcid
on conflict (orcid, generation) do update
   set state = excluded.state, requested_at = excluded.requested_at,
       attempts = case when w.state = excluded.state then w.attempts else 0 end, next_try_at = null;

-- name: begin_removal$
-- The moment is what the confirmation must name: if somebody registered meanwhile, the row stays.
insert into orcid_sync.webhooks as w (orcid, generation, state, requested_at)
select c.orcid, :generation, 'removing', clock_timestamp() from orcid_sync.connections as c where c.orcid = :orcid
on conflict (orcid, generation) do update
   set state = excluded.state, requested_at = excluded.requested_at,
       attempts = case when w.state = excluded.state then w.attempts else 0 end, next_try_at = null
returning requested_at;

-- name: failed!
-- ORCID could not be told, or gave no answer that counts: what the state says is tried again later.
update orcid_sync.webhooks
   set attempts = :attempts, next_try_at = clock_timestamp() + :again_in::interval, error = :error
 where orcid = :orcid and generation = :generation;

-- name: confirm_registration!
-- Whoever is removing it at this moment may have been before us at ORCID: their row then stays, and so does their work.
insert into orcid_sync.webhooks as w (orcid, generation, state, registered_at)
select c.orcid, :generation, 'active', now() from orcid_sync.connections as c where c.orcid = :orcid
on conflict (orcid, generation) do update
   set state = case when w.state = 'removing' then 'removing' else 'active' end,
       requested_at = clock_timestamp(),
       registered_at = case when :created then now() else coalesce(w.registered_at, now()) end,
       verified_at = case when w.state = 'verifying' then now() else w.verified_at end,
       missed = case when :created then 0 else w.missed end,
       suspect_since = case when :created then null else w.suspect_since end,
       attempts = 0, next_try_at = null, error = null;

-- name: confirm_removal!
delete from orcid_sync.webhooks
 where orcid = :orcid and generation = :generation and state = 'removing' and requested_at = :begun_at;

-- name: load
-- What an iD has of each generation: a row for each of these, in their order.
select g.number, g.key_version, g.public_url, g.derivable, g.present_since, g.first_used_at, g.first_called_at,
       g.last_called_at, g.given_up_at, w.state, now() - w.registered_at as age, coalesce(w.attempts, 0) as attempts,
       w.next_try_at - now() as again_in
  from orcid_sync.callback_generations as g
  left join orcid_sync.webhooks as w on w.generation = g.number and w.orcid = :orcid
 order by g.number;

-- name: of_orcid
select w.orcid, w.generation, g.key_version, g.public_url, w.state, w.requested_at, w.registered_at, w.last_called_at,
       w.verified_at, w.missed, w.suspect_since
  from orcid_sync.webhooks as w
  join orcid_sync.callback_generations as g on g.number = w.generation
 where w.orcid = :orcid
 order by w.generation;

-- name: counts
-- Most are active: the others are counted, and what remains are they.
with every as (
  select generation, count(*) as number from orcid_sync.webhooks group by generation
), unsettled as (
  select generation, state, count(*) as number
    from orcid_sync.webhooks
   where state <> 'active'
   group by generation, state
), active as (
  select every.generation, 'active' as state, every.number - coalesce(sum(unsettled.number), 0)::bigint as number
    from every
    left join unsettled using (generation)
   group by every.generation, every.number
)
select generation, state, number from unsettled
union all
select generation, state, number from active where number > 0;

-- name: mark
-- The queue's rows are locked first, as everywhere. What is verified may be revived, not the other way round.
with chosen as (
  select w.orcid, w.generation
    from orcid_sync.webhooks as w
    join orcid_sync.callback_generations as g on g.number = w.generation and g.present_since is not null
    join orcid_sync.connections as c on c.orcid = w.orcid and c.state = 'connected'
    join orcid_sync.queue as q on q.orcid = w.orcid
   where (w.state = 'active' or w.state = 'verifying' and :state = 'reviving')
     and (:orcids::text[] is null or w.orcid = any(:orcids::text[]))
     and (not :suspect::boolean or w.suspect_since is not null)
     and (:not_alive_since::timestamptz is null
          or coalesce(greatest(w.registered_at, w.last_called_at), '-infinity') < :not_alive_since::timestamptz)
     and (:not_verified_since::timestamptz is null
          or coalesce(w.verified_at, '-infinity') < :not_verified_since::timestamptz)
   limit :limit::bigint
     for no key update of q skip locked
), marked as (
  update orcid_sync.webhooks as w
     set state = :state, requested_at = clock_timestamp(), attempts = 0, next_try_at = null, error = null
    from chosen
   where w.orcid = chosen.orcid and w.generation = chosen.generation
     and (w.state = 'active' or w.state = 'verifying' and :state = 'reviving')
  returning w.orcid
), due as (
  update orcid_sync.queue as q
     set gen = q.gen + 1, due_at = least(q.due_at, now()),
         lane = case when q.gen = q.done_gen and q.due_at > now() then 4 else least(q.lane, 4) end
    from marked
   where q.orcid = marked.orcid
)
select orcid from marked;
