-- Generations of callback addresses: which secret and which public address they were made of.

-- name: lock!
-- Two processes that start at once say one after the other what they start with.
select pg_advisory_xact_lock(x'6f7263696467656e'::bigint);

-- name: fill_in_addresses!
-- Of before addresses were written down: taken to have had this one.
update orcid_sync.callback_generations as g
   set public_url = :public_url
 where g.public_url = ''
   and not exists (
     select from orcid_sync.callback_generations as o where o.key_version = g.key_version and o.public_url = :public_url
   );

-- name: wrong_secrets
-- Versions whose secret is not the one that their addresses were derived from.
select distinct g.key_version
  from orcid_sync.callback_generations as g
  join unnest(:versions::smallint[], :proofs::bytea[]) as given (key_version, proof) using (key_version)
 where g.proof <> given.proof
 order by g.key_version;

-- name: note_secrets!
-- What can be derived from what is known now, and how to tell later whether a secret is the same.
update orcid_sync.callback_generations as g
   set proof = coalesce(g.proof, given.proof), derivable = given.proof is not null
  from orcid_sync.callback_generations as all_of_them
  left join unnest(:versions::smallint[], :proofs::bytea[]) as given (key_version, proof) using (key_version)
 where all_of_them.number = g.number;

-- name: retire!
update orcid_sync.callback_generations
   set present_since = null
 where present_since is not null and (key_version, public_url) is distinct from (:key_version::smallint, :public_url::text);

-- name: know
insert into orcid_sync.callback_generations (key_version, public_url)
select key_version, public_url from unnest(:versions::smallint[], :addresses::text[]) as given (key_version, public_url)
on conflict (key_version, public_url) do nothing
returning number;

-- name: make_present!
insert into orcid_sync.callback_generations as g (key_version, public_url, present_since)
values (:key_version::smallint, :public_url::text, now())
on conflict (key_version, public_url) do update
   set present_since = now(), given_up_at = null
 where g.present_since is null;

-- name: give_up
-- Older generations, whose webhooks need not wait any longer.
update orcid_sync.callback_generations
   set given_up_at = now()
 where present_since is null and given_up_at is null
returning number;

-- name: forget$
-- Webhooks that nobody can remove any more.
with forgotten as (
  delete from orcid_sync.webhooks as w
   using orcid_sync.callback_generations as g
   where g.number = w.generation and w.generation = :number and not g.derivable
  returning 1
)
select count(*) from forgotten;

-- name: load
select number, key_version, public_url, derivable, present_since, first_used_at, first_called_at, last_called_at,
       given_up_at
  from orcid_sync.callback_generations
 order by number;

-- name: note_calls!
-- Two addresses under one version of the secret can be told apart only by the host that ORCID asked for.
update orcid_sync.callback_generations as g
   set first_called_at = coalesce(g.first_called_at, now()), last_called_at = now()
  from unnest(:versions::smallint[], :hosts::text[]) as called (key_version, host)
 where called.key_version = g.key_version
   and (called.host = lower(split_part(split_part(g.public_url, '://', 2), '/', 1))
        or not exists (
          select from orcid_sync.callback_generations as o where o.key_version = g.key_version and o.number <> g.number
        ));
