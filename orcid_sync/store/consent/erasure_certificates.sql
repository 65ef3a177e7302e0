-- Certificates of erasure: a chain of entries that are only added.

-- name: issue!
with added as (
  insert into orcid_sync.erasures (number, orcid, by, learnt, deleted, consents_hash, at, hash)
  values (:number, :orcid, :by, :learnt, :deleted, :consents_hash, :at, :hash)
)
update orcid_sync.ledger_heads set number = :number, hash = :hash where ledger = 'erasures';

-- name: list_certificates
select number, orcid, by, learnt, deleted, consents_hash, at, hash, previous
  from (
    select e.*, coalesce(lag(e.hash) over (order by e.number), decode(repeat('00', 32), 'hex')) as previous
      from orcid_sync.erasures as e
  ) as chained
 where :number::bigint is null or number = :number::bigint
 order by number;

-- name: list_erased
-- The entries of the consent ledger for which there must be a certificate.
select number, orcid, by, learnt, hash from orcid_sync.consents where event = 'erased' order by number;

-- name: pseudonym_key$
select key from orcid_sync.ledger_heads where ledger = 'erasures';
