-- Proof: who consented to what, and that what was to be erased was erased. Two chains of hashes (model/consent/hash_chain.py); each
-- entry's hash covers the one before it, so that changing the past shows. They have no foreign keys: they outlive all.

create table orcid_sync.ledger_heads (
  ledger text primary key check (ledger in ('consents', 'erasures')),
  number bigint not null default 0,
  hash   bytea not null default decode(repeat('00', 32), 'hex'),
  key    bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
insert into orcid_sync.ledger_heads (ledger) values ('consents'), ('erasures');
comment on table orcid_sync.ledger_heads is 'The ends of the two chains. Locked from taking a number until the commit, so that the order of the entries is that of the commits.';
comment on column orcid_sync.ledger_heads.ledger is 'consents or erasures.';
comment on column orcid_sync.ledger_heads.number is 'Number of the last entry; 0 if there is none.';
comment on column orcid_sync.ledger_heads.hash is 'Hash of the last entry; 32 zero bytes if there is none.';
comment on column orcid_sync.ledger_heads.key is 'Random key of the pseudonyms that stand for iDs in files outside the database. It is in every backup that could bring a person back.';

create table orcid_sync.consents (
  number  bigint primary key,
  orcid   orcid_sync.orcid_id,
  event   text not null check (event in ('granted', 'denied', 'narrowed', 'widened', 'revoked', 'expired', 'disconnected', 'erased')),
  by      text not null check (by in ('holder', 'operator', 'registry')),
  learnt  text not null,
  scopes  text[] not null default '{}',
  facts   jsonb not null default '{}',
  at      timestamptz not null,
  hash    bytea not null
);
create index consents_orcid on orcid_sync.consents (orcid, number);
comment on table orcid_sync.consents is 'The consent ledger: what the holders of records allowed, and when and how it ended. Entries are only added.';
comment on column orcid_sync.consents.number is 'Position in the chain: 1, 2, 3, … in the order of commits.';
comment on column orcid_sync.consents.orcid is 'The iD; null if it is not known (somebody said no before signing in).';
comment on column orcid_sync.consents.event is 'granted, denied, narrowed (fewer scopes than before), widened, revoked, expired, disconnected or erased.';
comment on column orcid_sync.consents.by is 'Whose doing it was: holder, operator or registry.';
comment on column orcid_sync.consents.learnt is 'How we learnt of it: connect-page, token-file, refused-token, command, disconnect-page, erasure-log, …';
comment on column orcid_sync.consents.scopes is 'The scopes that are allowed from then on.';
comment on column orcid_sync.consents.facts is 'What else belongs to it: numbers and short words, never a name, an address or a token.';
comment on column orcid_sync.consents.at is 'When it was written down.';
comment on column orcid_sync.consents.hash is 'SHA-256 of the hash before and the canonical text of this entry.';

create table orcid_sync.erasures (
  number        bigint primary key,
  orcid         orcid_sync.orcid_id not null,
  by            text not null check (by in ('holder', 'operator', 'registry')),
  learnt        text not null,
  deleted       jsonb not null,
  consents_hash bytea not null,
  at            timestamptz not null,
  hash          bytea not null
);
create index erasures_orcid on orcid_sync.erasures (orcid, number);
comment on table orcid_sync.erasures is 'Certificates of erasure: what was deleted where. Entries are only added.';
comment on column orcid_sync.erasures.number is 'Position in the chain: 1, 2, 3, …';
comment on column orcid_sync.erasures.orcid is 'The iD whose data were erased; all that is left of it.';
comment on column orcid_sync.erasures.by is 'Whose wish it was: holder, operator or registry.';
comment on column orcid_sync.erasures.learnt is 'How we learnt of it: command, disconnect-page, erasure-log, …';
comment on column orcid_sync.erasures.deleted is 'How many rows were deleted or blanked, by table.';
comment on column orcid_sync.erasures.consents_hash is 'Hash of the entry "erased" in the consent ledger: the certificate vouches for that ledger, too.';
comment on column orcid_sync.erasures.at is 'When it was done.';
comment on column orcid_sync.erasures.hash is 'SHA-256 of the hash before and the canonical text of this certificate.';

create function orcid_sync.refuse() returns trigger
  language plpgsql
as $$
begin
  raise exception 'entries of % are only added, never changed or removed', tg_table_name
    using errcode = 'restrict_violation';
end
$$;
comment on function orcid_sync.refuse is 'Trigger of tables to which rows are only added.';

-- Always: also where triggers are switched off for the session (session_replication_role).
create trigger only_additions before update or delete or truncate on orcid_sync.consents for each statement execute function orcid_sync.refuse();
create trigger only_additions before update or delete or truncate on orcid_sync.erasures for each statement execute function orcid_sync.refuse();
alter table orcid_sync.consents enable always trigger only_additions;
alter table orcid_sync.erasures enable always trigger only_additions;

-- Whoever is leaving: their tokens wait to be revoked from now on, in the place for that.
with taken as (
  delete from orcid_sync.tokens as t
   using orcid_sync.connections as c
   where c.orcid = t.orcid and c.state <> 'connected'
  returning t.orcid, t.access_token
)
insert into orcid_sync.retired_tokens (orcid, access_token, reason)
select orcid, access_token, 'disconnected' from taken;
update orcid_sync.connections set access_state = 'public' where state <> 'connected' and access_state <> 'public';

comment on column orcid.changes.cause is 'What led to the change: a read after notification, operator, first-load, check or second-look; or erasure.';
