-- The consent ledger: a chain of entries that are only added.

-- name: lock_head^
-- The end of a chain, which nobody else can move until the commit.
select number, hash, clock_timestamp() as at
  from orcid_sync.ledger_heads
 where ledger = :ledger
   for no key update;

-- name: heads
select ledger, number, hash from orcid_sync.ledger_heads;

-- name: hashes
select number, hash from orcid_sync.consents where :ledger = 'consents' and number = any(:numbers::bigint[])
 union all
select number, hash from orcid_sync.erasures where :ledger = 'erasures' and number = any(:numbers::bigint[]);

-- name: append!
with added as (
  insert into orcid_sync.consents (number, orcid, event, by, learnt, scopes, facts, at, hash)
  select g.number, g.orcid, g.event, g.by, g.learnt,
         coalesce(string_to_array(nullif(g.scopes, ''), ' '), '{}'), g.facts, :at::timestamptz, g.hash
    from unnest(
           :numbers::bigint[], :orcids::text[], :events::text[], :bys::text[], :learnts::text[], :scopes::text[],
           :facts::jsonb[], :hashes::bytea[]
         ) as g (number, orcid, event, by, learnt, scopes, facts, hash)
  returning number, hash
)
update orcid_sync.ledger_heads as h
   set number = added.number, hash = added.hash
  from added
 where h.ledger = 'consents' and added.number = (select max(each.number) from added as each);

-- name: list_entries
select number, orcid, event, by, learnt, scopes, facts, at, hash
  from orcid_sync.consents
 where number > :after and (:orcid::text is null or orcid = :orcid::text)
 order by number
 limit :limit::bigint;
