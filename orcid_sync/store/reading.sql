-- What people want to know: the whole at a glance, one record, the changes.

-- name: clock$
select now();

-- name: failures
-- The kinds of failure at present, the most frequent first.
select q.last_error as error, count(*) as number, min(q.orcid)::text as example
  from orcid_sync.queue as q
 where q.attempts > 0
 group by q.last_error
 order by count(*) desc, q.last_error
 limit 10;

-- name: record_states
select r.state, count(*) as number
  from orcid.records as r
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected'
 group by r.state
 order by count(*) desc, r.state;

-- name: freshness
-- Connected iDs by how long ago they were last verified, the freshest first.
select case
         when q.verified_at is null then 'never'
         when q.verified_at > now() - interval '1 hour' then 'within an hour'
         when q.verified_at > now() - interval '1 day' then 'within a day'
         when q.verified_at > now() - interval '7 days' then 'within 7 days'
         when q.verified_at > now() - interval '30 days' then 'within 30 days'
         else 'longer ago'
       end as verified,
       count(*) as number
  from orcid_sync.queue as q
  join orcid_sync.connections as c using (orcid)
 where c.state = 'connected'
 group by 1
 order by max(q.verified_at) desc nulls last;

-- name: unconfirmed_webhooks$
-- Webhooks that ORCID was told about more than an hour ago without confirming.
select count(*)
  from orcid_sync.webhooks
 where state <> 'active' and requested_at < now() - interval '1 hour';

-- name: last_runs
select distinct on (job) id, job, started_at, finished_at, outcome, error
  from orcid_sync.runs
 order by job, started_at desc;

-- name: feed_head^
select h.epoch::text as epoch, h.last, (select c.at from orcid.changes as c where c.seq = h.last) as at
  from orcid_sync.feed_head as h;

-- name: workers$
-- Connections of worker pools to this database: is anybody at work? Behind a pooler that renames sessions it is 0.
select count(*)
  from pg_stat_activity
 where datname = current_database() and application_name = 'orcid_sync worker';

-- name: person^
select c.orcid, p.name, p.employer, r.state, r.primary_orcid, r.registry_modified_at, r.first_seen_at, r.changed_at,
       c.state as connection, c.access_state, r.access, c.connected_at, c.disconnected_at,
       q.verified_at, q.notified_at, q.due_at, q.lane, q.lease_until > now() as leased, q.attempts, q.last_error,
       q.second_look_at, q.held_digest is not null as held
  from orcid_sync.connections as c
  left join orcid_sync.queue as q using (orcid)
  left join orcid.records as r using (orcid)
  left join orcid.people as p using (orcid)
 where c.orcid = :orcid;

-- name: items
select section, key, visibility, modified_at, changed_at, group_put_code, group_position, doc
  from orcid.items
 where orcid = :orcid and (:section::text is null or section = :section::text);

-- name: changes_after
select epoch::text as epoch, seq, orcid, section, key, op, reason, fields, minor, visibility, cause, at,
       source_modified_at, old, new
  from orcid.change_feed
 where seq > :after
   and (:orcid::text is null or orcid = :orcid::text)
   and (:section::text is null or section = :section::text)
   and (:minor or not minor)
 order by seq
 limit :limit::bigint;

-- name: position_before_last$
-- The position after which the last n changes come.
select coalesce(min(last.seq) - 1, 0)
  from (
    select seq
      from orcid.changes
     where (:orcid::text is null or orcid = :orcid::text)
       and (:section::text is null or section = :section::text)
       and (:minor or not minor)
     order by seq desc
     limit :number::bigint
  ) as last;

-- name: server_version$
select current_setting('server_version_num')::integer;
