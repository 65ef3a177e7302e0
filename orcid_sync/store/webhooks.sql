-- The inventory of webhooks: ORCID has no list call (contract section 1.1).

-- name: begin_registration!
insert into orcid_sync.webhooks (orcid, key_version, state)
values (:orcid, :key_version, 'registering')
on conflict (orcid, key_version) do update
   set state = 'registering', requested_at = now();

-- name: confirm_registration!
update orcid_sync.webhooks
   set state = 'active', registered_at = now()
 where orcid = :orcid and key_version = :key_version and state = 'registering';

-- name: begin_removal!
update orcid_sync.webhooks
   set state = 'removing', requested_at = now()
 where orcid = :orcid and key_version = :key_version;

-- name: confirm_removal!
delete from orcid_sync.webhooks
 where orcid = :orcid and key_version = :key_version and state = 'removing';

-- name: load
select orcid, key_version, state, requested_at, registered_at
  from orcid_sync.webhooks
 where orcid = :orcid
 order by key_version;

-- name: counts
select key_version, state, count(*) as number
  from orcid_sync.webhooks
 group by key_version, state;
