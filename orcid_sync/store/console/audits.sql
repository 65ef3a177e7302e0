-- Audits: what a sample is drawn from, what is due anyway, and the series of their results.

-- name: sample
-- Connected iDs that were read at least once, in no order.
select q.orcid, now() as drawn_at
  from orcid_sync.queue as q
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected' and q.verified_at is not null
 order by random()
 limit :size::bigint;

-- name: standing^
select q.verified_at, q.registry_modified_ms,
       q.gen > q.done_gen or q.second_look_at is not null or q.unconfirmed is not null
       or exists (select from orcid_sync.doubts as d
                   where d.orcid = q.orcid and d.kind in ('removal', 'shown', 'older')) as due
  from orcid_sync.queue as q
 where q.orcid = :orcid;

-- name: add$
insert into orcid_sync.audits (started_at, sampled, verdicts, share, low, high, findings)
values (:started_at, :sampled, :verdicts::jsonb, :share, :low, :high, :findings::jsonb)
returning id;

-- name: last
select id, started_at, finished_at, sampled, verdicts, share, low, high
  from orcid_sync.audits
 order by id desc
 limit :limit::bigint;
