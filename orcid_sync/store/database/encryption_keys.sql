-- Which keys sealed what, and sealing it anew with the present one. Four tables hold ciphertexts; each query gives them
-- in one form: owner (what the ciphertext is bound to), part (tells several of one owner apart), and up to two texts.
-- The id of the key is the second part of the text (encryption.py); of what is no ciphertext nothing is quoted.

-- name: usage
-- Rows by place and key.
select sealed.place, coalesce(substring(sealed.text from '^v1[.]([A-Za-z0-9_-]{1,32})[.]'), '') as key_id, count(*) as number
  from (
    select 'tokens.access_token' as place, access_token as text from orcid_sync.tokens
    union all
    select 'tokens.refresh_token', refresh_token from orcid_sync.tokens where refresh_token is not null
    union all
    select 'retired_tokens.access_token', access_token from orcid_sync.retired_tokens
    union all
    select 'client_tokens.access_token', access_token from orcid_sync.client_tokens
    union all
    select 'subscription_secrets.secret', secret from orcid_sync.subscription_secrets
  ) as sealed
 group by sealed.place, key_id
 order by sealed.place, key_id;

-- name: sealed
-- What these keys sealed, at most so many of each key.
select numbered.place, numbered.owner, numbered.text
  from (
    select sealed.*, row_number() over (partition by split_part(sealed.text, '.', 2)) as number
      from (
        select 'tokens.access_token' as place, orcid::text as owner, access_token as text from orcid_sync.tokens
        union all
        select 'tokens.refresh_token', orcid, refresh_token from orcid_sync.tokens where refresh_token is not null
        union all
        select 'retired_tokens.access_token', orcid, access_token from orcid_sync.retired_tokens
        union all
        select 'client_tokens.access_token', client_id, access_token from orcid_sync.client_tokens
        union all
        select 'subscription_secrets.secret', subscription_id::text, secret from orcid_sync.subscription_secrets
      ) as sealed
     where split_part(sealed.text, '.', 2) = any(:key_ids::text[])
  ) as numbered
 where numbered.number <= :most::bigint;

-- name: lock_tokens
-- The next rows that one of these keys sealed; what somebody else is at is left to a later round.
select orcid::text as owner, '0' as part, access_token, refresh_token
  from orcid_sync.tokens
 where orcid > :owner::text
   and (split_part(access_token, '.', 2) = any(:key_ids::text[])
        or split_part(refresh_token, '.', 2) = any(:key_ids::text[]))
 order by orcid
 limit :limit::bigint
   for no key update skip locked;

-- name: replace_tokens!
update orcid_sync.tokens as t
   set access_token = n.access_token, refresh_token = n.refresh_token
  from unnest(:owners::text[], :parts::text[], :access_tokens::text[], :refresh_tokens::text[])
       as n (owner, part, access_token, refresh_token)
 where t.orcid = n.owner;

-- name: lock_retired_tokens
select orcid::text as owner, number::text as part, access_token, null as refresh_token
  from orcid_sync.retired_tokens
 where (orcid, number) > (:owner::text, :part::text::bigint)
   and split_part(access_token, '.', 2) = any(:key_ids::text[])
 order by orcid, number
 limit :limit::bigint
   for no key update skip locked;

-- name: replace_retired_tokens!
update orcid_sync.retired_tokens as t
   set access_token = n.access_token
  from unnest(:owners::text[], :parts::text[], :access_tokens::text[], :refresh_tokens::text[])
       as n (owner, part, access_token, refresh_token)
 where t.orcid = n.owner and t.number = n.part::bigint;

-- name: lock_client_tokens
select client_id as owner, scope as part, access_token, null as refresh_token
  from orcid_sync.client_tokens
 where (client_id, scope) > (:owner::text, :part::text)
   and split_part(access_token, '.', 2) = any(:key_ids::text[])
 order by client_id, scope
 limit :limit::bigint
   for no key update skip locked;

-- name: replace_client_tokens!
update orcid_sync.client_tokens as t
   set access_token = n.access_token
  from unnest(:owners::text[], :parts::text[], :access_tokens::text[], :refresh_tokens::text[])
       as n (owner, part, access_token, refresh_token)
 where t.client_id = n.owner and t.scope = n.part;

-- name: lock_subscription_secrets
select subscription_id::text as owner, number::text as part, secret as access_token, null as refresh_token
  from orcid_sync.subscription_secrets
 where (subscription_id, number) > (coalesce(nullif(:owner::text, ''), '0')::integer, :part::text::integer)
   and split_part(secret, '.', 2) = any(:key_ids::text[])
 order by subscription_id, number
 limit :limit::bigint
   for no key update skip locked;

-- name: replace_subscription_secrets!
update orcid_sync.subscription_secrets as t
   set secret = n.access_token
  from unnest(:owners::text[], :parts::text[], :access_tokens::text[], :refresh_tokens::text[])
       as n (owner, part, access_token, refresh_token)
 where t.subscription_id = n.owner::integer and t.number = n.part::integer;
