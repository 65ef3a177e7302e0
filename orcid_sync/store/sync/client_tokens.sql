-- Our own tokens (contract section 2.3), sealed.

-- name: store!
insert into orcid_sync.client_tokens (client_id, scope, access_token, expires_at)
values (:client_id, :scope, :access_token, now() + :lasts::interval)
on conflict (client_id, scope) do update
   set access_token = excluded.access_token, fetched_at = now(), expires_at = excluded.expires_at;

-- name: load^
select access_token, expires_at - now() as lasts
  from orcid_sync.client_tokens
 where client_id = :client_id and scope = :scope and expires_at > now();

