-- Connections: the permission to follow an iD, with the token that its holder granted, if any.

-- name: make_known
-- Rows for iDs that have none, so that there is something to lock. The iDs come sorted, so that two commands cannot
-- deadlock; of two that bring the same iD one makes it known, and the other waits for its commit.
with made as (
  insert into orcid_sync.connections (orcid, state, disconnected_at)
  select given.orcid, 'disconnected', now() from unnest(:orcids::text[]) as given (orcid)
  on conflict (orcid) do nothing
  returning orcid
), queued as (
  insert into orcid_sync.queue (orcid) select made.orcid from made
)
select orcid from made;

-- name: lock_rows!
-- Whoever changes the state of a connection or its token holds its queue row, like a reconciliation that applies.
select from orcid_sync.queue where orcid = any(:orcids::text[]) order by orcid for no key update;

-- name: connect_orcids
-- What is connected stays so; a token that is the same as the stored one leaves that where it is; another one takes its
-- place, and that one is to be revoked. Scopes come as ORCID writes them, with spaces between.
with given as materialized (
  select g.orcid, g.access_token, g.same_as, g.refresh_token, g.expires_at,
         coalesce(string_to_array(nullif(g.scopes, ''), ' '), '{}') as scopes
    from unnest(
           :orcids::text[], :access_tokens::text[], :same_as::text[], :refresh_tokens::text[], :scopes::text[],
           :expiries::timestamptz[]
         ) as g (orcid, access_token, same_as, refresh_token, scopes, expires_at)
), before as materialized (
  select given.orcid, given.access_token, given.refresh_token, new.orcid is not null as new, c.state, c.access_state,
         given.access_token is not null and not known.same as granted, known.same, t.access_token as old_token, t.refresh_token as old_refresh_token, t.scopes as old_scopes,
         t.granted_at as old_granted_at,
         case when known.same and given.scopes = '{}' then t.scopes else given.scopes end as scopes,
         case when known.same then coalesce(given.expires_at, t.expires_at) else given.expires_at end as expires_at
    from given
    join orcid_sync.connections as c using (orcid)
    left join orcid_sync.tokens as t using (orcid)
    left join unnest(:new::text[]) as new (orcid) using (orcid)
   cross join lateral (select coalesce(given.access_token is not null and t.access_token = given.same_as, false) as same) as known
), connected as (
  update orcid_sync.connections as c
     set state = 'connected',
         access_state = case
           when before.granted then 'granted'
           when before.same and c.access_state <> 'granted' then 'suspect'
           else c.access_state
         end,
         suspect_since = case
           when before.granted then null
           when before.same and c.access_state <> 'granted' then coalesce(c.suspect_since, now())
           else c.suspect_since
         end,
         suspect_reason = case
           when before.granted then null
           when before.same and c.access_state <> 'granted' then coalesce(c.suspect_reason, 'refused')
           else c.suspect_reason
         end,
         refusals = case when before.granted or before.same then 0 else c.refusals end,
         connected_at = case when c.state = 'connected' then c.connected_at else now() end,
         disconnected_at = null,
         erased_at = null
    from before
   where c.orcid = before.orcid
     and (c.state <> 'connected' or before.granted or before.same and c.access_state <> 'granted')
), retired as (
  insert into orcid_sync.retired_tokens (orcid, access_token, reason)
  select orcid, old_token, 'replaced' from before where granted and old_token is not null
), stored as (
  insert into orcid_sync.tokens as t (orcid, access_token, refresh_token, scopes, granted_at, expires_at)
  select orcid, case when same then old_token else access_token end,
         case when same then coalesce(old_refresh_token, refresh_token) else refresh_token end,
         scopes, case when same then old_granted_at else now() end, expires_at
    from before
   where granted or same
  on conflict (orcid) do update
     set access_token = excluded.access_token,
         refresh_token = excluded.refresh_token,
         scopes = excluded.scopes,
         shown = case when t.access_token = excluded.access_token then t.shown else '{}' end,
         granted_at = excluded.granted_at,
         expires_at = excluded.expires_at
   where (t.access_token, t.refresh_token, t.scopes, t.expires_at)
         is distinct from (excluded.access_token, excluded.refresh_token, excluded.scopes, excluded.expires_at)
), queued as (
  update orcid_sync.queue as q
     set gen = q.gen + 1,
         due_at = least(q.due_at, now()),
         lane = case when before.state = 'connected' then least(q.lane, 2) else 2 end
    from before
   where q.orcid = before.orcid and not before.new
     and (before.state <> 'connected' or before.granted or before.same and before.access_state <> 'granted'
          or before.same and before.scopes <> before.old_scopes)
)
select orcid,
       case
         when new then 'connected'
         when state <> 'connected' then 'reconnected'
         when granted then 'token stored'
         else 'already connected'
       end as outcome,
       granted, same, scopes, old_scopes
  from before;

-- name: sealed_tokens
select orcid, access_token from orcid_sync.tokens where orcid = any(:orcids::text[]);

-- name: lock_alone!
-- Waits for reconciliations that are writing (FOR KEY SHARE), a large record perhaps, and keeps out others.
with patience as materialized (select set_config('lock_timeout', '30s', true))
select from orcid_sync.queue, patience where orcid = any(:orcids::text[]) order by orcid for update of queue;

-- name: disconnect_orcids
with gone as (
  update orcid_sync.connections
     set state = 'disconnecting', disconnected_at = now(), access_state = 'public', suspect_since = null,
         suspect_reason = null, refusals = 0
   where orcid = any(:orcids::text[]) and state = 'connected'
  returning orcid
), taken as (
  delete from orcid_sync.tokens where orcid in (select gone.orcid from gone)
  returning orcid, access_token
), retired as (
  insert into orcid_sync.retired_tokens (orcid, access_token, reason)
  select orcid, access_token, 'disconnected' from taken
)
select orcid from gone order by orcid;

-- name: retire_unwanted!
with leaving as (
  update orcid_sync.connections set state = 'disconnecting' where orcid = :orcid and state = 'disconnected'
)
insert into orcid_sync.retired_tokens (orcid, access_token, reason) values (:orcid, :access_token, 'unwanted');

-- name: take_over_unknown_webhooks!
-- Made known before by make_known; only those. Which of our addresses ORCID has of them is not known: any of them.
with leaving as (
  update orcid_sync.connections set state = 'disconnecting' where orcid = any(:orcids::text[])
), due as (
  update orcid_sync.queue set lane = 0, due_at = now() where orcid = any(:orcids::text[])
)
insert into orcid_sync.webhooks (orcid, generation, state)
select orphan, g.number, 'removing'
  from unnest(:orcids::text[]) as orphan
 cross join orcid_sync.callback_generations as g
 where g.derivable
on conflict (orcid, generation) do nothing;

-- name: finish_disconnecting$
update orcid_sync.connections as c
   set state = 'disconnected', access_state = 'public'
 where c.orcid = :orcid and c.state = 'disconnecting'
   and not exists (select from orcid_sync.retired_tokens as t where t.orcid = c.orcid)
   and not exists (select from orcid_sync.webhooks as w where w.orcid = c.orcid)
returning true;

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
