-- Our access to records: how the holders' tokens stand, and tokens that wait to be revoked.

-- name: load^
-- All that a reconciliation must know before it reads: the connection, its token, and how the mirror stands.
select c.state, c.access_state, c.suspect_since, c.suspect_reason, c.refusals, t.access_token, coalesce(t.scopes, '{}') as scopes,
       coalesce(t.shown, '{}') as shown, t.expires_at, r.state as record_state, r.withheld,
       exists (select from orcid_sync.retired_tokens as old where old.orcid = c.orcid) as has_retired
  from orcid_sync.connections as c
  left join orcid_sync.tokens as t using (orcid)
  left join orcid.records as r using (orcid)
 where c.orcid = :orcid;

-- name: stands$
-- Whether the iD is still connected, with the token (or without one, as) that it was read with. Locks the answer.
select true
  from orcid_sync.connections as c
 where c.orcid = :orcid and c.state = 'connected'
   and (select t.access_token from orcid_sync.tokens as t where t.orcid = c.orcid) is not distinct from :access_token
   for share;

-- name: refuse!
-- A doubt of another kind begins anew.
update orcid_sync.connections
   set access_state = 'suspect',
       refusals = case when suspect_reason = :reason then refusals else 0 end + 1,
       suspect_since = coalesce(case when suspect_reason = :reason then suspect_since end, now()),
       suspect_reason = :reason
 where orcid = :orcid;

-- name: accept!
update orcid_sync.connections
   set access_state = 'granted', refusals = 0, suspect_since = null, suspect_reason = null
 where orcid = :orcid;

-- name: prove!
update orcid_sync.tokens set shown = :shown::text[] where orcid = :orcid;

-- name: lose!
with lost as (
  update orcid_sync.connections
     set access_state = :access_state, refusals = 0, suspect_since = null, suspect_reason = null
   where orcid = :orcid
), taken as (
  delete from orcid_sync.tokens where orcid = :orcid
  returning orcid, access_token
)
insert into orcid_sync.retired_tokens (orcid, access_token, reason)
select orcid, access_token, 'lost' from taken;

-- name: count_tried^
-- Tokens that are refused, and tokens that worked lately. Seldom asked: only before a token is taken for revoked.
select count(*) filter (where c.suspect_reason = 'refused') as refused,
       count(*) filter (where c.access_state = 'granted' and q.verified_at > now() - :within::interval) as answered
  from orcid_sync.connections as c
  join orcid_sync.queue as q using (orcid)
 where c.state = 'connected' and c.access_state in ('granted', 'suspect');

-- name: retired
select number, access_token, attempts, next_try_at - now() as again_in
  from orcid_sync.retired_tokens
 where orcid = :orcid
 order by number;

-- name: revocation_failed!
update orcid_sync.retired_tokens
   set attempts = :attempts, next_try_at = clock_timestamp() + :again_in::interval, error = :error
 where orcid = :orcid and number = :number;

-- name: in_use$
select access_token from orcid_sync.tokens where orcid = :orcid;

-- name: forget_retired!
delete from orcid_sync.retired_tokens where orcid = :orcid and number = :number;

-- name: lock_state$
select state from orcid_sync.connections where orcid = :orcid for update;
