-- What the researcher's will needs: hiding at once, forgetting after confirmation, tokens that wait to be revoked.

-- Hidden from readers at once, before anything is known for certain: the rows stay until the end is confirmed.
alter table orcid.records add column withheld text check (withheld in ('limited', 'all'));
create index records_withheld on orcid.records (orcid) where withheld is not null;
comment on column orcid.records.withheld is 'What readers are not shown for the time being: limited (our access is in doubt), all (the record is locked or about to be closed); null: nothing.';

-- The 401 procedure (contract section 2.6): suspect since when, and how many refusals were heard.
alter table orcid_sync.connections add column suspect_since timestamptz;
alter table orcid_sync.connections add column refusals integer not null default 0;
alter table orcid_sync.connections add column erased_at timestamptz;
create index connections_suspect on orcid_sync.connections (suspect_since) where suspect_since is not null;
comment on column orcid_sync.connections.suspect_since is 'When the holder''s token was first refused; null while it is not in doubt.';
comment on column orcid_sync.connections.refusals is 'How often in a row the holder''s token was refused while ours was not.';
comment on column orcid_sync.connections.erased_at is 'When everything about the person was erased; null if it was not.';

-- The answer that must be heard twice is no longer only the 404.
alter table orcid_sync.queue rename column not_found_at to unconfirmed_at;
alter table orcid_sync.queue add column unconfirmed text;
update orcid_sync.queue set unconfirmed = 'not-found' where unconfirmed_at is not null;
comment on column orcid_sync.queue.unconfirmed is 'The state that the Registry told and that must be told again before anything is forgotten: not-found, deactivated or deprecated.';
comment on column orcid_sync.queue.unconfirmed_at is 'When it was first told.';

create table orcid_sync.retired_tokens (
  orcid        orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  number       bigint generated always as identity,
  access_token text not null,
  retired_at   timestamptz not null default now(),
  reason       text not null check (reason in ('replaced', 'disconnected', 'unwanted')),
  primary key (orcid, number)
);
comment on table orcid_sync.retired_tokens is 'Tokens that are not used any more and are to be revoked at ORCID; a row goes when ORCID confirmed it.';
comment on column orcid_sync.retired_tokens.orcid is 'The iD whose holder granted the token.';
comment on column orcid_sync.retired_tokens.number is 'Tells several tokens of one iD apart.';
comment on column orcid_sync.retired_tokens.access_token is 'Ciphertext of the access token, sealed for the column access_token.';
comment on column orcid_sync.retired_tokens.retired_at is 'When it was taken out of use.';
comment on column orcid_sync.retired_tokens.reason is 'replaced by a newer grant, disconnected, or unwanted (granted by somebody who was not invited).';
