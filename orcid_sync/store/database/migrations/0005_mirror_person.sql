-- The mirror: what a record says of its holder.

-- The columns that every item has, with their comments, copied by LIKE; a table for as long as this file needs it.
create temporary table item_columns (
  visibility                 text,
  display_index              integer,
  source_client_id           text,
  source_orcid               text,
  source_name                text,
  assertion_origin_client_id text,
  assertion_origin_orcid     text,
  assertion_origin_name      text,
  created_at                 timestamptz,
  modified_at                timestamptz,
  first_seen_at              timestamptz not null default now(),
  changed_at                 timestamptz not null default now(),
  digest                     bytea not null,
  doc                        jsonb not null
) on commit drop;
comment on column item_columns.visibility is 'Who may see the item at ORCID: public, limited, private, … An unknown value must be treated as private.';
comment on column item_columns.display_index is 'The holder''s order: higher comes first. Null where ORCID gives none.';
comment on column item_columns.source_client_id is 'Client that asserted the item (APP-…); null if a person did.';
comment on column item_columns.source_orcid is 'iD that asserted the item; self-asserted only if it equals orcid (some old clients have iD-shaped ids).';
comment on column item_columns.source_name is 'Name of the source as ORCID shows it; can change without the item changing.';
comment on column item_columns.assertion_origin_client_id is 'Client on whose behalf the source asserted the item.';
comment on column item_columns.assertion_origin_orcid is 'Person on whose behalf the source asserted the item.';
comment on column item_columns.assertion_origin_name is 'Name of that client or person.';
comment on column item_columns.created_at is 'When the item was added at ORCID (created-date).';
comment on column item_columns.modified_at is 'When the item was last changed at ORCID (last-modified-date).';
comment on column item_columns.first_seen_at is 'When the mirror first held this item.';
comment on column item_columns.changed_at is 'When the mirror last changed this row.';
comment on column item_columns.digest is 'Hash of the item as ORCID gave it (summary, full form, place in its group); equal digests are not compared further.';
comment on column item_columns.doc is 'The item as ORCID gave it, with members that have no column. Activities: the summary.';

create table orcid.names (
  orcid       orcid_sync.orcid_id primary key references orcid.records on delete cascade,
  given_names text,
  family_name text,
  credit_name text,
  like item_columns including comments including defaults
);
select orcid_sync.protect_items('orcid.names');
comment on table orcid.names is 'The name of the record holder; no row if it is not visible to us.';
comment on column orcid.names.orcid is 'The iD.';
comment on column orcid.names.given_names is 'Given names.';
comment on column orcid.names.family_name is 'Family name; often null.';
comment on column orcid.names.credit_name is 'Published name, if the holder gave one.';

create table orcid.biographies (
  orcid   orcid_sync.orcid_id primary key references orcid.records on delete cascade,
  content text,
  like item_columns including comments including defaults
);
select orcid_sync.protect_items('orcid.biographies');
comment on table orcid.biographies is 'The biography, if visible to us.';
comment on column orcid.biographies.orcid is 'The iD.';
comment on column orcid.biographies.content is 'The text.';

create table orcid.other_names (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  content  text,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.other_names');
comment on table orcid.other_names is 'Other names that the holder is known by.';
comment on column orcid.other_names.orcid is 'The iD.';
comment on column orcid.other_names.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.other_names.content is 'The name.';

create table orcid.emails (
  orcid       orcid_sync.orcid_id not null references orcid.records on delete cascade,
  email       text not null,
  verified    boolean,
  verified_at timestamptz,
  is_primary  boolean,
  like item_columns including comments including defaults,
  primary key (orcid, email)
);
select orcid_sync.protect_items('orcid.emails');
comment on table orcid.emails is 'E-mail addresses visible to us; ORCID gives them no put-code, the address is the key.';
comment on column orcid.emails.orcid is 'The iD.';
comment on column orcid.emails.email is 'The address in lower case.';
comment on column orcid.emails.verified is 'Whether the holder has verified the address.';
comment on column orcid.emails.verified_at is 'When it was verified; only some answers have it.';
comment on column orcid.emails.is_primary is 'Whether it is the account''s primary address.';

create table orcid.addresses (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  country  text,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.addresses');
comment on table orcid.addresses is 'Countries that the holder states.';
comment on column orcid.addresses.orcid is 'The iD.';
comment on column orcid.addresses.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.addresses.country is 'Country, ISO 3166-1 alpha-2.';

create table orcid.keywords (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  content  text,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.keywords');
comment on table orcid.keywords is 'Keywords; one entry often holds a whole comma-separated list.';
comment on column orcid.keywords.orcid is 'The iD.';
comment on column orcid.keywords.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.keywords.content is 'The keyword as typed.';

create table orcid.researcher_urls (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  name     text,
  url      text,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.researcher_urls');
comment on table orcid.researcher_urls is 'Web links of the holder.';
comment on column orcid.researcher_urls.orcid is 'The iD.';
comment on column orcid.researcher_urls.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.researcher_urls.name is 'Label of the link.';
comment on column orcid.researcher_urls.url is 'The address as typed; not always a valid URL.';

create table orcid.person_identifiers (
  orcid        orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code     bigint not null,
  type         text,
  value        text,
  url          text,
  relationship text,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.person_identifiers');
comment on table orcid.person_identifiers is 'Identifiers of the person in other systems (Scopus Author ID, ResearcherID, …).';
comment on column orcid.person_identifiers.orcid is 'The iD.';
comment on column orcid.person_identifiers.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.person_identifiers.type is 'System of the identifier, free text.';
comment on column orcid.person_identifiers.value is 'The identifier.';
comment on column orcid.person_identifiers.url is 'Link to the person there.';
comment on column orcid.person_identifiers.relationship is 'Relationship, usually self.';
