-- What people want to know: the whole at a glance, one record, the changes.

-- name: clock$
select now();

-- name: failures
-- The kinds of failure at present, the most frequent first. Nobody is named twice: of
-- refused tokens `suspects` tells, of whoever leaves and is not rid of webhook or token side_steps does.
select c.state = 'connected' as read, q.last_error as error, count(*) as number, min(q.orcid)::text as example
  from orcid_sync.queue as q
  join orcid_sync.connections as c using (orcid)
 where q.attempts > 0
   and case
         when c.state = 'connected' then c.access_state <> 'suspect' or q.last_error not like 'unauthorized:%'
         else not exists (select from orcid_sync.webhooks as w where w.orcid = q.orcid and w.attempts > 0)
              and not exists (select from orcid_sync.retired_tokens as t where t.orcid = q.orcid and t.attempts > 0)
       end
 group by 1, q.last_error
 order by count(*) desc, q.last_error
 limit 10;

-- name: suspects
-- Tokens in doubt by reason.
select suspect_reason as reason, count(*) as number, min(orcid)::text as example
  from orcid_sync.connections
 where suspect_since is not null
 group by suspect_reason
 order by suspect_reason;

-- name: side_steps
-- What fails at ORCID beside the reading of records, by kind of failure, the most frequent first.
select step, error, count(*) as number, min(orcid)::text as example
  from (
    select 'webhook' as step, w.orcid, w.error from orcid_sync.webhooks as w where w.attempts > 0
    union all
    select 'revocation', t.orcid, t.error from orcid_sync.retired_tokens as t where t.attempts > 0
  ) as failing
 group by step, error
 order by count(*) desc, step, error
 limit 10;

-- name: record_states
-- Few records are anything but active, and few are not read yet; the active ones are what remains of the connected.
with others as (
  select r.state, count(*) as number
    from orcid.records as r
    join orcid_sync.connections as c using (orcid)
   where r.state <> 'active' and c.state = 'connected'
   group by r.state
), unread as (
  select count(*) as number
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where q.verified_at is null and c.state = 'connected'
     and not exists (select from orcid.records as r where r.orcid = q.orcid)
), active as (
  select (select count(*) from orcid_sync.connections where state = 'connected')
         - (select number from unread) - (select coalesce(sum(number), 0) from others)::bigint as number
)
select found.state, found.number
  from (select state, number from others union all select 'active', number from active) as found
 where found.number > 0
 order by found.number desc, found.state;

-- name: freshness
-- Connected iDs by how long ago they were last verified, the freshest first. All are counted in one pass, and those that
-- are not connected, which are few, are taken off. The moments are computed once, in subselects, not for each row.
with every as (
  select count(*) as total, count(q.verified_at) as ever,
         count(*) filter (where q.verified_at > (select now() - interval '1 hour')) as hour,
         count(*) filter (where q.verified_at > (select now() - interval '1 day')) as day,
         count(*) filter (where q.verified_at > (select now() - interval '7 days')) as week,
         count(*) filter (where q.verified_at > (select now() - interval '30 days')) as month
    from orcid_sync.queue as q
), gone as (
  select count(*) as total, count(q.verified_at) as ever,
         count(*) filter (where q.verified_at > (select now() - interval '1 hour')) as hour,
         count(*) filter (where q.verified_at > (select now() - interval '1 day')) as day,
         count(*) filter (where q.verified_at > (select now() - interval '7 days')) as week,
         count(*) filter (where q.verified_at > (select now() - interval '30 days')) as month
    from orcid_sync.queue as q
    join orcid_sync.connections as c using (orcid)
   where c.state <> 'connected'
), followed as (
  select every.total - gone.total as total, every.ever - gone.ever as ever, every.hour - gone.hour as hour,
         every.day - gone.day as day, every.week - gone.week as week, every.month - gone.month as month
    from every
   cross join gone
)
select band.verified, band.number
  from followed
 cross join lateral (
   values (1, 'within an hour', hour), (2, 'within a day', day - hour), (3, 'within 7 days', week - day),
          (4, 'within 30 days', month - week), (5, 'longer ago', ever - month), (6, 'never', total - ever)
 ) as band (place, verified, number)
 where band.number > 0
 order by band.place;

-- name: unconfirmed_webhooks$
-- Webhooks that ORCID was told about more than an hour ago without confirming; of those that failed side_steps tells.
select count(*)
  from orcid_sync.webhooks
 where state <> 'active' and attempts = 0 and requested_at < now() - interval '1 hour';

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
       q.second_look_at
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
-- Lines about the record itself belong to every section: whoever follows one must obey them.
select epoch::text as epoch, seq, orcid, section, key, op, reason, fields, minor, visibility, cause, at,
       source_modified_at, old, new
  from orcid.change_feed
 where seq > :after
   and (:orcid::text is null or orcid = :orcid::text)
   and (:section::text is null or section in ('record', :section::text))
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
       and (:section::text is null or section in ('record', :section::text))
       and (:minor or not minor)
     order by seq desc
     limit :number::bigint
  ) as last;

-- name: server_version$
select current_setting('server_version_num')::integer;
