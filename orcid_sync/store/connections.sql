-- Connections: the permission to follow an iD, with the token that its holder granted, if any.

-- name: connect_orcids
-- One statement, hence atomic: the connection, its token and its place in the queue. The iDs come sorted, so that two
-- commands cannot deadlock. Scopes come as ORCID writes them, with spaces between.
with given as materialized (
  select g.*
    from unnest(
           :orcids::text[], :access_tokens::text[], :refresh_tokens::text[], :scopes::text[], :expiries::timestamptz[]
         ) as g (orcid, access_token, refresh_token, scopes, expires_at)
), before as materialized (
  select given.orcid, given.access_token is not null as has_token, c.state
    from given
    left join orcid_sync.connections as c using (orcid)
), connected as (
  insert into orcid_sync.connections as c (orcid, access_state)
  select orcid, case when has_token then 'granted' else 'public' end from before
  on conflict (orcid) do update
     set state = 'connected',
         access_state = case
           when excluded.access_state = 'granted' or c.state = 'disconnected' then excluded.access_state
           else c.access_state
         end,
         connected_at = case when c.state = 'connected' then c.connected_at else now() end,
         disconnected_at = null
   where c.state <> 'connected' or excluded.access_state = 'granted'
), stored as (
  insert into orcid_sync.tokens as t (orcid, access_token, refresh_token, scopes, expires_at)
  select orcid, access_token, refresh_token, coalesce(string_to_array(nullif(scopes, ''), ' '), '{}'), expires_at
    from given
   where access_token is not null
  on conflict (orcid) do update
     set access_token = excluded.access_token,
         refresh_token = excluded.refresh_token,
         scopes = excluded.scopes,
         granted_at = now(),
         expires_at = excluded.expires_at
), queued as (
  insert into orcid_sync.queue as q (orcid)
  select orcid from before where state is distinct from 'connected' or has_token
  on conflict (orcid) do update
     set gen = q.gen + 1,
         due_at = least(q.due_at, now()),
         lane = least(q.lane, excluded.lane)
)
select orcid,
       case
         when state is null then 'connected'
         when state <> 'connected' then 'reconnected'
         when has_token then 'token stored'
         else 'already connected'
       end as outcome
  from before;

-- name: disconnect_orcids
with wanted as (
  select c.orcid
    from orcid_sync.connections as c
   where c.orcid = any(:orcids::text[]) and c.state = 'connected'
   order by c.orcid
     for update
), disconnecting as (
  update orcid_sync.connections
     set state = 'disconnecting', disconnected_at = now()
   where orcid in (select wanted.orcid from wanted)
  returning orcid
)
select orcid from disconnecting;

-- name: finish_disconnecting!
with disconnected as (
  update orcid_sync.connections
     set state = 'disconnected', access_state = 'public'
   where orcid = :orcid and state = 'disconnecting'
  returning orcid
)
delete from orcid_sync.tokens
 where orcid in (select disconnected.orcid from disconnected);

-- name: set_access_state!
update orcid_sync.connections
   set access_state = :access_state
 where orcid = :orcid and access_state <> :access_state;

-- name: load^
select c.orcid, c.state, c.access_state, c.connected_at, c.disconnected_at, t.access_token, t.refresh_token,
       coalesce(t.scopes, '{}') as scopes, t.expires_at
  from orcid_sync.connections as c
  left join orcid_sync.tokens as t using (orcid)
 where c.orcid = :orcid;

-- name: counts
select state, access_state, count(*) as number
  from orcid_sync.connections
 group by state, access_state;

-- name: list_connections
-- In the order of the iDs, starting after one: pages stay right while others connect.
select c.orcid, c.state, c.access_state, c.connected_at, q.due_at, q.lane, q.lease_until > now() as leased,
       q.gen > q.done_gen as work_left, q.attempts, q.last_error, q.notified_at, q.verified_at
  from orcid_sync.connections as c
  join orcid_sync.queue as q using (orcid)
 where c.orcid > :after
   and (:orcids::text[] is null or c.orcid = any(:orcids::text[]))
   and (:state::text is null or c.state = :state::text)
   and (not :failing or q.attempts > 0)
 order by c.orcid
 limit :limit::bigint;
