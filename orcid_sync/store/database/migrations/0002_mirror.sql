-- Schema orcid: the mirror, the product's public interface. Names follow ORCID's (contract section 10).

create schema orcid;
comment on schema orcid is 'The mirror of ORCID records and its change feed.';

-- Fuzzy dates have optional parts, some of them impossible (month 00, 31 June, year 0): the parts are kept as given, and
-- this is the earliest real day that they can mean, for sorting.
create function orcid.earliest_date(year smallint, month smallint, day smallint) returns date
  language sql immutable parallel safe
  return case when year between 1 and 9999 then
    make_date(year, case when month between 1 and 12 then month else 1 end, 1)
    + case when month between 1 and 12 and day >= 1 then
        least(day, extract(day from make_date(year, month, 1) + interval '1 month' - interval '1 day')::smallint) - 1
      else 0 end
  end;
comment on function orcid.earliest_date is 'The earliest day that a fuzzy date can mean: missing or impossible parts count as the first, a day past the month''s end as its last; null without a usable year.';

create table orcid.records (
  orcid                  orcid_sync.orcid_id primary key,
  state                  text not null,
  access                 text not null,
  primary_orcid          orcid_sync.orcid_id,
  locale                 text,
  creation_method        text,
  claimed                boolean,
  submitted_at           timestamptz,
  completed_at           timestamptz,
  deactivated_at         timestamptz,
  registry_modified_at   timestamptz,
  verified_email         boolean,
  verified_primary_email boolean,
  source_client_id       text,
  source_orcid           text,
  source_name            text,
  first_seen_at          timestamptz not null default now(),
  changed_at             timestamptz not null default now(),
  doc                    jsonb not null default '{}'
);
comment on table orcid.records is 'One row per mirrored iD: the state of the record and its history block.';
comment on column orcid.records.orcid is 'The iD, path form (0000-0002-1825-0097).';
comment on column orcid.records.state is 'active, locked, unclaimed, deactivated, deprecated or not-found (contract section 3.5).';
comment on column orcid.records.access is 'What the record is read with: read-limited (the holder''s permission) or read-public.';
comment on column orcid.records.primary_orcid is 'The iD into which a deprecated iD was merged; null otherwise.';
comment on column orcid.records.locale is 'Language of the holder''s account (preferences.locale).';
comment on column orcid.records.creation_method is 'How the iD came to be: DIRECT, MEMBER_REFERRED, WEBSITE, API, …';
comment on column orcid.records.claimed is 'Whether the holder has claimed the record.';
comment on column orcid.records.submitted_at is 'When the account was created (history.submission-date).';
comment on column orcid.records.completed_at is 'history.completion-date; mostly null.';
comment on column orcid.records.deactivated_at is 'history.deactivation-date; null for an active record.';
comment on column orcid.records.registry_modified_at is 'history.last-modified-date. Moves for invisible reasons too (contract section 3.9), so a move alone is not in the change feed.';
comment on column orcid.records.verified_email is 'Whether the holder has verified any e-mail address.';
comment on column orcid.records.verified_primary_email is 'Whether the primary e-mail address is verified.';
comment on column orcid.records.source_client_id is 'Client that created the record, if a client did.';
comment on column orcid.records.source_orcid is 'iD-shaped source that created the record, if any.';
comment on column orcid.records.source_name is 'Name of the creating source as ORCID shows it.';
comment on column orcid.records.first_seen_at is 'When the mirror first held this record.';
comment on column orcid.records.changed_at is 'When a change of this record or any of its items was last applied.';
comment on column orcid.records.doc is 'The record''s own part of ORCID''s answer (identifier, preferences, history without its last-modified-date, and members unknown to this version), without the items.';

-- The columns that every item has, with their comments, declared once and copied by LIKE.
create table orcid_sync.item_columns (
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
);
comment on column orcid_sync.item_columns.visibility is 'Who may see the item at ORCID: public, limited, private, … An unknown value must be treated as private.';
comment on column orcid_sync.item_columns.display_index is 'The holder''s order: higher comes first. Null where ORCID gives none.';
comment on column orcid_sync.item_columns.source_client_id is 'Client that asserted the item (APP-…); null if a person did.';
comment on column orcid_sync.item_columns.source_orcid is 'iD that asserted the item; self-asserted only if it equals orcid (some old clients have iD-shaped ids).';
comment on column orcid_sync.item_columns.source_name is 'Name of the source as ORCID shows it; can change without the item changing.';
comment on column orcid_sync.item_columns.assertion_origin_client_id is 'Client on whose behalf the source asserted the item.';
comment on column orcid_sync.item_columns.assertion_origin_orcid is 'Person on whose behalf the source asserted the item.';
comment on column orcid_sync.item_columns.assertion_origin_name is 'Name of that client or person.';
comment on column orcid_sync.item_columns.created_at is 'When the item was added at ORCID (created-date).';
comment on column orcid_sync.item_columns.modified_at is 'When the item was last changed at ORCID (last-modified-date).';
comment on column orcid_sync.item_columns.first_seen_at is 'When the mirror first held this item.';
comment on column orcid_sync.item_columns.changed_at is 'When the mirror last changed this row.';
comment on column orcid_sync.item_columns.digest is 'Hash of the item as ORCID gave it (summary, full form, place in its group); equal digests are not compared further.';
comment on column orcid_sync.item_columns.doc is 'The item as ORCID gave it, with members that have no column. Activities: the summary.';

-- The place of an activity in ORCID's grouping. Groups have no identity at ORCID; they are recomputed from each answer.
create table orcid_sync.grouped_columns (
  group_put_code bigint not null,
  group_position integer not null,
  preferred      boolean not null generated always as (group_position = 0) stored
);
comment on column orcid_sync.grouped_columns.group_put_code is 'The group that the item is in, named by the smallest put-code in it (ORCID gives groups no id).';
comment on column orcid_sync.grouped_columns.group_position is 'Place inside the group as ORCID orders it; 0 is the holder''s preferred version.';
comment on column orcid_sync.grouped_columns.preferred is 'Whether this is the preferred version of its group.';

create table orcid_sync.detail_columns (
  detail_modified_at timestamptz,
  detail             jsonb
);
comment on column orcid_sync.detail_columns.detail_modified_at is 'last-modified-date of the full item as it was when read; null if it was not readable.';
comment on column orcid_sync.detail_columns.detail is 'The full item as ORCID gave it; null if it was not readable.';

create table orcid_sync.organization_columns (
  org_name                  text,
  org_city                  text,
  org_region                text,
  org_country               text,
  org_disambiguated_id      text,
  org_disambiguation_source text
);
comment on column orcid_sync.organization_columns.org_name is 'Name of the organisation; can be null since 2025.';
comment on column orcid_sync.organization_columns.org_city is 'City of the organisation.';
comment on column orcid_sync.organization_columns.org_region is 'State or region of the organisation.';
comment on column orcid_sync.organization_columns.org_country is 'Country of the organisation, ISO 3166-1 alpha-2.';
comment on column orcid_sync.organization_columns.org_disambiguated_id is 'Identifier of the organisation in the register named beside it.';
comment on column orcid_sync.organization_columns.org_disambiguation_source is 'Register of that identifier: ROR, GRID, FUNDREF, RINGGOLD, LEI.';

create table orcid_sync.period_columns (
  start_year  smallint,
  start_month smallint,
  start_day   smallint,
  start_date  date generated always as (orcid.earliest_date(start_year, start_month, start_day)) stored,
  end_year    smallint,
  end_month   smallint,
  end_day     smallint,
  end_date    date generated always as (orcid.earliest_date(end_year, end_month, end_day)) stored
);
comment on column orcid_sync.period_columns.start_year is 'Year of the start, as given.';
comment on column orcid_sync.period_columns.start_month is 'Month of the start, as given; may be missing or impossible.';
comment on column orcid_sync.period_columns.start_day is 'Day of the start, as given; may be missing or impossible.';
comment on column orcid_sync.period_columns.start_date is 'Earliest day that the start can mean, for sorting.';
comment on column orcid_sync.period_columns.end_year is 'Year of the end, as given; null: it goes on, or is not known.';
comment on column orcid_sync.period_columns.end_month is 'Month of the end, as given; may be missing or impossible.';
comment on column orcid_sync.period_columns.end_day is 'Day of the end, as given; may be missing or impossible.';
comment on column orcid_sync.period_columns.end_date is 'Earliest day that the end can mean, for sorting.';

create table orcid.names (
  orcid       orcid_sync.orcid_id primary key references orcid.records on delete cascade,
  given_names text,
  family_name text,
  credit_name text,
  like orcid_sync.item_columns including comments including defaults
);
comment on table orcid.names is 'The name of the record holder; no row if it is not visible to us.';
comment on column orcid.names.orcid is 'The iD.';
comment on column orcid.names.given_names is 'Given names.';
comment on column orcid.names.family_name is 'Family name; often null.';
comment on column orcid.names.credit_name is 'Published name, if the holder gave one.';

create table orcid.biographies (
  orcid   orcid_sync.orcid_id primary key references orcid.records on delete cascade,
  content text,
  like orcid_sync.item_columns including comments including defaults
);
comment on table orcid.biographies is 'The biography, if visible to us.';
comment on column orcid.biographies.orcid is 'The iD.';
comment on column orcid.biographies.content is 'The text.';

create table orcid.other_names (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  content  text,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
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
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, email)
);
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
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.addresses is 'Countries that the holder states.';
comment on column orcid.addresses.orcid is 'The iD.';
comment on column orcid.addresses.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.addresses.country is 'Country, ISO 3166-1 alpha-2.';

create table orcid.keywords (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  content  text,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.keywords is 'Keywords; one entry often holds a whole comma-separated list.';
comment on column orcid.keywords.orcid is 'The iD.';
comment on column orcid.keywords.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.keywords.content is 'The keyword as typed.';

create table orcid.researcher_urls (
  orcid    orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code bigint not null,
  name     text,
  url      text,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
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
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.person_identifiers is 'Identifiers of the person in other systems (Scopus Author ID, ResearcherID, …).';
comment on column orcid.person_identifiers.orcid is 'The iD.';
comment on column orcid.person_identifiers.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.person_identifiers.type is 'System of the identifier, free text.';
comment on column orcid.person_identifiers.value is 'The identifier.';
comment on column orcid.person_identifiers.url is 'Link to the person there.';
comment on column orcid.person_identifiers.relationship is 'Relationship, usually self.';

create table orcid.affiliations (
  orcid           orcid_sync.orcid_id not null references orcid.records on delete cascade,
  section         text not null,
  put_code        bigint not null,
  department_name text,
  role_title      text,
  like orcid_sync.organization_columns including comments,
  like orcid_sync.period_columns including comments including generated,
  url             text,
  like orcid_sync.grouped_columns including comments including generated,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, section, put_code)
);
-- Hash indexes where ORCID sets no limit to a text: a B-tree refuses rows with more than 2.7 kB in it.
create index affiliations_org on orcid.affiliations using hash (org_disambiguated_id);
comment on table orcid.affiliations is 'All seven kinds of affiliation; the views employments, educations, … show one kind each.';
comment on column orcid.affiliations.orcid is 'The iD.';
comment on column orcid.affiliations.section is 'Kind: employment, education, qualification, distinction, invited-position, membership or service.';
comment on column orcid.affiliations.put_code is 'ORCID''s number of the item, unique over all kinds.';
comment on column orcid.affiliations.department_name is 'Department.';
comment on column orcid.affiliations.role_title is 'Role, title or degree.';
comment on column orcid.affiliations.url is 'Link given with the affiliation.';

create table orcid.works (
  orcid                     orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code                  bigint not null,
  type                      text,
  title                     text,
  subtitle                  text,
  translated_title          text,
  translated_title_language text,
  journal_title             text,
  publication_year          smallint,
  publication_month         smallint,
  publication_day           smallint,
  publication_date          date generated always as (orcid.earliest_date(publication_year, publication_month, publication_day)) stored,
  url                       text,
  short_description         text,
  citation_type             text,
  citation_value            text,
  language_code             text,
  country                   text,
  like orcid_sync.grouped_columns including comments including generated,
  like orcid_sync.detail_columns including comments,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.works is 'Works as claimed on the record: one row per version; preferred picks one row per group.';
comment on column orcid.works.orcid is 'The iD.';
comment on column orcid.works.put_code is 'ORCID''s number of the work, unique in this table.';
comment on column orcid.works.type is 'Type of work: journal-article, book, data-set, …; the list grows.';
comment on column orcid.works.title is 'Title as given; may contain markup and line breaks.';
comment on column orcid.works.subtitle is 'Subtitle.';
comment on column orcid.works.translated_title is 'Title in another language.';
comment on column orcid.works.translated_title_language is 'Language of the translated title (en, zh_CN, …).';
comment on column orcid.works.journal_title is 'Journal, conference or book that the work appeared in.';
comment on column orcid.works.publication_year is 'Year of publication, as given.';
comment on column orcid.works.publication_month is 'Month of publication, as given; may be missing or impossible.';
comment on column orcid.works.publication_day is 'Day of publication, as given; may be missing or impossible.';
comment on column orcid.works.publication_date is 'Earliest day that the publication date can mean, for sorting.';
comment on column orcid.works.url is 'Link given with the work.';
comment on column orcid.works.short_description is 'Abstract or description (full form only).';
comment on column orcid.works.citation_type is 'Form of the citation: bibtex, ris, … (full form only).';
comment on column orcid.works.citation_value is 'The citation (full form only).';
comment on column orcid.works.language_code is 'Language of the work (full form only).';
comment on column orcid.works.country is 'Country of the work, ISO 3166-1 alpha-2 (full form only).';

create table orcid.fundings (
  orcid                     orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code                  bigint not null,
  type                      text,
  title                     text,
  translated_title          text,
  translated_title_language text,
  like orcid_sync.organization_columns including comments,
  like orcid_sync.period_columns including comments including generated,
  url                       text,
  organization_defined_type text,
  short_description         text,
  amount_value              text,
  amount_currency           text,
  like orcid_sync.grouped_columns including comments including generated,
  like orcid_sync.detail_columns including comments,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.fundings is 'Grants, awards, contracts and salary awards.';
comment on column orcid.fundings.orcid is 'The iD.';
comment on column orcid.fundings.put_code is 'ORCID''s number of the funding, unique in this table.';
comment on column orcid.fundings.type is 'grant, award, contract or salary-award.';
comment on column orcid.fundings.title is 'Title of the project or award.';
comment on column orcid.fundings.translated_title is 'Title in another language.';
comment on column orcid.fundings.translated_title_language is 'Language of the translated title.';
comment on column orcid.fundings.url is 'Link given with the funding.';
comment on column orcid.fundings.organization_defined_type is 'The funder''s own name for the type (full form only).';
comment on column orcid.fundings.short_description is 'Description (full form only).';
comment on column orcid.fundings.amount_value is 'Amount as typed: free text, any number format (full form only).';
comment on column orcid.fundings.amount_currency is 'Currency of the amount, ISO 4217 (full form only).';

create table orcid.peer_reviews (
  orcid                             orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code                          bigint not null,
  reviewer_role                     text,
  review_type                       text,
  review_url                        text,
  completion_year                   smallint,
  completion_month                  smallint,
  completion_day                    smallint,
  completion_date                   date generated always as (orcid.earliest_date(completion_year, completion_month, completion_day)) stored,
  review_group_id                   text,
  like orcid_sync.organization_columns including comments,
  subject_container_name            text,
  subject_type                      text,
  subject_title                     text,
  subject_subtitle                  text,
  subject_translated_title          text,
  subject_translated_title_language text,
  subject_url                       text,
  subject_external_id_type          text,
  subject_external_id_value         text,
  subject_external_id_url           text,
  subject_external_id_relationship  text,
  like orcid_sync.grouped_columns including comments including generated,
  like orcid_sync.detail_columns including comments,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.peer_reviews is 'Peer reviews; the organisation is the convening one.';
comment on column orcid.peer_reviews.orcid is 'The iD.';
comment on column orcid.peer_reviews.put_code is 'ORCID''s number of the review, unique in this table.';
comment on column orcid.peer_reviews.reviewer_role is 'reviewer, editor, member, chair or organizer.';
comment on column orcid.peer_reviews.review_type is 'review or evaluation.';
comment on column orcid.peer_reviews.review_url is 'Link to the review.';
comment on column orcid.peer_reviews.completion_year is 'Year of completion, as given.';
comment on column orcid.peer_reviews.completion_month is 'Month of completion, as given.';
comment on column orcid.peer_reviews.completion_day is 'Day of completion, as given.';
comment on column orcid.peer_reviews.completion_date is 'Earliest day that the completion date can mean, for sorting.';
comment on column orcid.peer_reviews.review_group_id is 'The group that ORCID files the review under: issn:…, publons:…, orcid-generated:…';
comment on column orcid.peer_reviews.subject_container_name is 'Journal or conference of the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_type is 'Type of the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_title is 'Title of the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_subtitle is 'Subtitle of the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_translated_title is 'Translated title of the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_translated_title_language is 'Language of that title (full form only).';
comment on column orcid.peer_reviews.subject_url is 'Link to the reviewed work (full form only).';
comment on column orcid.peer_reviews.subject_external_id_type is 'Type of the reviewed work''s identifier (full form only).';
comment on column orcid.peer_reviews.subject_external_id_value is 'The reviewed work''s identifier (full form only).';
comment on column orcid.peer_reviews.subject_external_id_url is 'Link of that identifier (full form only).';
comment on column orcid.peer_reviews.subject_external_id_relationship is 'Relationship of that identifier (full form only).';

create table orcid.research_resources (
  orcid                     orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code                  bigint not null,
  title                     text,
  translated_title          text,
  translated_title_language text,
  like orcid_sync.period_columns including comments including generated,
  url                       text,
  like orcid_sync.grouped_columns including comments including generated,
  like orcid_sync.detail_columns including comments,
  like orcid_sync.item_columns including comments including defaults,
  primary key (orcid, put_code)
);
comment on table orcid.research_resources is 'Research resources (use of facilities, collections, infrastructures) by proposal.';
comment on column orcid.research_resources.orcid is 'The iD.';
comment on column orcid.research_resources.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.research_resources.title is 'Title of the proposal.';
comment on column orcid.research_resources.translated_title is 'Title in another language.';
comment on column orcid.research_resources.translated_title_language is 'Language of the translated title.';
comment on column orcid.research_resources.url is 'Link to the proposal.';

create table orcid.research_resource_items (
  orcid      orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code   bigint not null,
  position   integer not null,
  visibility text,
  name       text,
  type       text,
  url        text,
  primary key (orcid, put_code, position),
  foreign key (orcid, put_code) references orcid.research_resources on delete cascade
);
comment on table orcid.research_resource_items is 'The single resources of a research resource (full form only).';
comment on column orcid.research_resource_items.orcid is 'The iD.';
comment on column orcid.research_resource_items.put_code is 'The research resource.';
comment on column orcid.research_resource_items.position is 'Place in the list, from 1.';
comment on column orcid.research_resource_items.visibility is 'Visibility of the research resource.';
comment on column orcid.research_resource_items.name is 'Name of the resource.';
comment on column orcid.research_resource_items.type is 'Type: infrastructures, collections, equipment, services.';
comment on column orcid.research_resource_items.url is 'Link to the resource.';

create table orcid.research_resource_hosts (
  orcid         orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code      bigint not null,
  resource_item integer not null,
  position      integer not null,
  visibility    text,
  like orcid_sync.organization_columns including comments,
  primary key (orcid, put_code, resource_item, position),
  foreign key (orcid, put_code) references orcid.research_resources on delete cascade
);
comment on table orcid.research_resource_hosts is 'Organisations that host a research resource or one of its items.';
comment on column orcid.research_resource_hosts.orcid is 'The iD.';
comment on column orcid.research_resource_hosts.put_code is 'The research resource.';
comment on column orcid.research_resource_hosts.resource_item is '0: host of the proposal; n: host of the n-th resource item.';
comment on column orcid.research_resource_hosts.position is 'Place in the list, from 1.';
comment on column orcid.research_resource_hosts.visibility is 'Visibility of the research resource.';

create table orcid.external_ids (
  orcid                orcid_sync.orcid_id not null references orcid.records on delete cascade,
  section              text not null,
  put_code             bigint not null,
  resource_item        integer not null default 0,
  position             integer not null,
  visibility           text,
  type                 text,
  value                text,
  normalized           text,
  normalized_transient boolean,
  normalized_error     text,
  url                  text,
  relationship         text,
  primary key (orcid, section, put_code, resource_item, position)
);
create index external_ids_value on orcid.external_ids using hash (coalesce(normalized, value));
comment on table orcid.external_ids is 'Identifiers of activities: DOI, ISBN, grant number, …';
comment on column orcid.external_ids.orcid is 'The iD.';
comment on column orcid.external_ids.section is 'Section of the item: work, funding, peer-review, research-resource, employment, …';
comment on column orcid.external_ids.put_code is 'Put-code of the item.';
comment on column orcid.external_ids.resource_item is '0: the item itself; n: the n-th item of a research resource.';
comment on column orcid.external_ids.position is 'Place in the list, from 1.';
comment on column orcid.external_ids.visibility is 'Visibility of the item.';
comment on column orcid.external_ids.type is 'Type of identifier: doi, isbn, grant_number, …; free text.';
comment on column orcid.external_ids.value is 'The identifier as given; can contain anything.';
comment on column orcid.external_ids.normalized is 'ORCID''s normalised form; null where ORCID gives none.';
comment on column orcid.external_ids.normalized_transient is 'ORCID''s mark that the normalised form was computed while reading.';
comment on column orcid.external_ids.normalized_error is 'ORCID''s error code if the identifier could not be normalised (8001).';
comment on column orcid.external_ids.url is 'Link as given; can be empty or nonsense.';
comment on column orcid.external_ids.relationship is 'self, part-of, version-of or funded-by; null on some old items.';

create table orcid.contributors (
  orcid             orcid_sync.orcid_id not null references orcid.records on delete cascade,
  section           text not null,
  put_code          bigint not null,
  position          integer not null,
  visibility        text,
  contributor_orcid text,
  credit_name       text,
  email             text,
  sequence          text,
  role              text,
  primary key (orcid, section, put_code, position)
);
create index contributors_orcid on orcid.contributors using hash (contributor_orcid) where contributor_orcid is not null;
comment on table orcid.contributors is 'Contributors of works and fundings (full form only).';
comment on column orcid.contributors.orcid is 'The iD of the record that the item is on.';
comment on column orcid.contributors.section is 'work or funding.';
comment on column orcid.contributors.put_code is 'Put-code of the item.';
comment on column orcid.contributors.position is 'Place in the list, from 1.';
comment on column orcid.contributors.visibility is 'Visibility of the item.';
comment on column orcid.contributors.contributor_orcid is 'iD of the contributor, if given; not proof that the person agreed.';
comment on column orcid.contributors.credit_name is 'Name of the contributor. In fundings ORCID recomputes it from the contributor''s own record.';
comment on column orcid.contributors.email is 'E-mail address; hardly ever given.';
comment on column orcid.contributors.sequence is 'first or additional.';
comment on column orcid.contributors.role is 'Role: author, editor, … or a CRediT address.';

drop table orcid_sync.item_columns, orcid_sync.grouped_columns, orcid_sync.detail_columns, orcid_sync.organization_columns, orcid_sync.period_columns;
