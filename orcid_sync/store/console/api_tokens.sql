-- Tokens of the internal listener, and the sessions of browsers that have shown one.

-- name: create!
insert into orcid_sync.api_tokens (hash, name, scopes, expires_at)
values (:hash, :name, :scopes::text[], now() + :lifetime::interval);

-- name: end_within!
-- Tokens of that name live no longer than so.
update orcid_sync.api_tokens
   set expires_at = least(expires_at, now() + :overlap::interval)
 where name = :name and (expires_at is null or expires_at > now());

-- name: revoke$
with gone as (
  delete from orcid_sync.api_tokens where name = :name returning hash
), closed as (
  delete from orcid_sync.api_sessions where token_hash in (select hash from gone)
)
select count(*) from gone;

-- name: all_tokens
select name, scopes, created_at, expires_at, last_used_at, coalesce(expires_at <= now(), false) as expired
  from orcid_sync.api_tokens
 order by name, created_at;

-- name: is_taken$
select exists (select from orcid_sync.api_tokens where name = :name and (expires_at is null or expires_at > now()));

-- name: is_any$
select exists (select from orcid_sync.api_tokens);

-- name: find^
select name, scopes, coalesce(last_used_at < now() - interval '1 minute', true) as unnoted
  from orcid_sync.api_tokens
 where hash = :hash and (expires_at is null or expires_at > now());

-- name: note_use!
update orcid_sync.api_tokens set last_used_at = now() where hash = :hash;

-- name: open_session!
with over as (
  delete from orcid_sync.api_sessions where expires_at <= now()
)
insert into orcid_sync.api_sessions (hash, token_hash, expires_at)
values (:hash, :token_hash, now() + :lifetime::interval);

-- name: find_session$
select token_hash from orcid_sync.api_sessions where hash = :hash and expires_at > now();

-- name: close_session!
delete from orcid_sync.api_sessions where hash = :hash;
