-- Erasing a person: all or nothing.

-- name: be_patient!
-- A large record may just be written, for longer than other locks are waited for; only until the transaction ends.
select set_config('lock_timeout', '30s', true);

-- name: is_mirrored$
-- Records that were loaded from a file (orcid-sync bootstrap --all) belong to people whom nobody follows.
select exists (select from orcid.records where orcid = :orcid);

-- name: lock$
-- Waits for a reconciliation that holds the row (FOR KEY SHARE), and keeps out the next one.
select true from orcid_sync.queue where orcid = :orcid for update;

-- name: is_back$
-- Whether what was erased at that moment is here: not erased since, and not connected since, with a new consent.
-- A statement of its own after `lock`, so that it sees what was committed while that waited.
select connected_at <= :at and coalesce(erased_at < :at, true) from orcid_sync.connections where orcid = :orcid;

-- name: fence!
-- Whatever was read before belongs to nobody now; what follows outside (webhook, tokens) is due at once.
update orcid_sync.queue
   set lease_no = lease_no + 1, lease_until = '-infinity', gen = gen + 1, due_at = now(), lane = 1, attempts = 0,
       second_look_at = null, notified_at = null, verified_at = null, registry_modified_ms = null, body_digest = null,
       body_access = null, unconfirmed = null, unconfirmed_at = null, last_error = null
 where orcid = :orcid;

-- name: addresses$
-- Lines of the feed that name an e-mail address.
select count(*) from orcid.changes where orcid = :orcid and section = 'email' and key <> '';

-- name: retire_token$
with taken as (
  delete from orcid_sync.tokens where orcid = :orcid returning orcid, access_token
), retired as (
  insert into orcid_sync.retired_tokens (orcid, access_token, reason)
  select orcid, access_token, 'disconnected' from taken
)
select count(*) from taken;

-- name: close_connection!
update orcid_sync.connections
   set state = 'disconnecting', access_state = 'public', suspect_since = null, suspect_reason = null, refusals = 0,
       disconnected_at = coalesce(disconnected_at, now()), erased_at = now()
 where orcid = :orcid;

-- name: all_orcids
select orcid from orcid_sync.connections union select orcid from orcid_sync.discoveries;
