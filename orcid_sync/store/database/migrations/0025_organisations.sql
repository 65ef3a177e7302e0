-- Where a dump of ROR waits for its last row, before it takes the place of the one before (orcid-sync organisations load).

create unlogged table orcid_sync.loaded_organisation_ids (
  scheme    text not null,
  id        text not null,
  ror       text not null,
  preferred boolean not null,
  origin    text not null
);
comment on table orcid_sync.loaded_organisation_ids is 'Identifiers of organisations as the dump has them; filled and emptied inside one transaction.';
comment on column orcid_sync.loaded_organisation_ids.scheme is 'Kind of identifier, in lower case.';
comment on column orcid_sync.loaded_organisation_ids.id is 'The identifier as given.';
comment on column orcid_sync.loaded_organisation_ids.ror is 'The organisation that it was given for.';
comment on column orcid_sync.loaded_organisation_ids.preferred is 'Whether the organisation prefers it among those of its kind.';
comment on column orcid_sync.loaded_organisation_ids.origin is 'ror: the dump; mapping: the file that was given with it.';
