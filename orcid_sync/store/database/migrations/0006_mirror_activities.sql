-- The mirror: what a record says of its holder's work, and where it was done.

-- The columns that every item has, with their comments, copied by LIKE as in 0005_mirror_person.sql.
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

-- The place of an activity in ORCID's grouping. Groups have no identity at ORCID; they are recomputed from each answer.
create temporary table grouped_columns (
  group_put_code bigint not null,
  group_position integer not null,
  preferred      boolean not null generated always as (group_position = 0) stored
) on commit drop;
comment on column grouped_columns.group_put_code is 'The group that the item is in, named by the smallest put-code in it (ORCID gives groups no id).';
comment on column grouped_columns.group_position is 'Place inside the group as ORCID orders it; 0 is the holder''s preferred version.';
comment on column grouped_columns.preferred is 'Whether this is the preferred version of its group.';

-- The full form, where there is one: what the summary leaves out.
create temporary table detail_columns (
  detail_modified_at timestamptz,
  detail             jsonb
) on commit drop;
comment on column detail_columns.detail_modified_at is 'last-modified-date of the full item as it was when read; null if it was not readable.';
comment on column detail_columns.detail is 'The full item as ORCID gave it; null if it was not readable.';

create temporary table organization_columns (
  org_name                  text,
  org_city                  text,
  org_region                text,
  org_country               text,
  org_disambiguated_id      text,
  org_disambiguation_source text
) on commit drop;
comment on column organization_columns.org_name is 'Name of the organisation; can be null since 2025.';
comment on column organization_columns.org_city is 'City of the organisation.';
comment on column organization_columns.org_region is 'State or region of the organisation.';
comment on column organization_columns.org_country is 'Country of the organisation, ISO 3166-1 alpha-2.';
comment on column organization_columns.org_disambiguated_id is 'Identifier of the organisation in the register named beside it.';
comment on column organization_columns.org_disambiguation_source is 'Register of that identifier: ROR, GRID, FUNDREF, RINGGOLD, LEI.';

create temporary table period_columns (
  start_year  smallint,
  start_month smallint,
  start_day   smallint,
  start_date  date generated always as (orcid.earliest_date(start_year, start_month, start_day)) stored,
  end_year    smallint,
  end_month   smallint,
  end_day     smallint,
  end_date    date generated always as (orcid.earliest_date(end_year, end_month, end_day)) stored
) on commit drop;
comment on column period_columns.start_year is 'Year of the start, as given.';
comment on column period_columns.start_month is 'Month of the start, as given; may be missing or impossible.';
comment on column period_columns.start_day is 'Day of the start, as given; may be missing or impossible.';
comment on column period_columns.start_date is 'Earliest day that the start can mean, for sorting.';
comment on column period_columns.end_year is 'Year of the end, as given; null: it goes on, or is not known.';
comment on column period_columns.end_month is 'Month of the end, as given; may be missing or impossible.';
comment on column period_columns.end_day is 'Day of the end, as given; may be missing or impossible.';
comment on column period_columns.end_date is 'Earliest day that the end can mean, for sorting.';

create table orcid.affiliations (
  orcid           orcid_sync.orcid_id not null references orcid.records on delete cascade,
  section         text not null,
  put_code        bigint not null,
  department_name text,
  role_title      text,
  like organization_columns including comments,
  like period_columns including comments including generated,
  url             text,
  like grouped_columns including comments including generated,
  like item_columns including comments including defaults,
  primary key (orcid, section, put_code)
);
-- Hash indexes where ORCID sets no limit to a text: a B-tree refuses rows with more than 2.7 kB in it.
create index affiliations_org on orcid.affiliations using hash (org_disambiguated_id);
select orcid_sync.protect_items('orcid.affiliations');
comment on table orcid.affiliations is 'All seven kinds of affiliation; the views employments, educations, … show one kind each.';
comment on column orcid.affiliations.orcid is 'The iD.';
comment on column orcid.affiliations.section is 'Kind: employment, education, qualification, distinction, invited-position, membership or service.';
comment on column orcid.affiliations.put_code is 'ORCID''s number of the item, unique over all kinds.';
comment on column orcid.affiliations.department_name is 'Department.';
comment on column orcid.affiliations.role_title is 'Role, title or degree.';
comment on column orcid.affiliations.url is 'Link given with the affiliation.';

create view orcid.employments with (security_invoker = true) as select * from orcid.affiliations where section = 'employment';
comment on view orcid.employments is 'Affiliations of the kind employment.';
create view orcid.educations with (security_invoker = true) as select * from orcid.affiliations where section = 'education';
comment on view orcid.educations is 'Affiliations of the kind education.';
create view orcid.qualifications with (security_invoker = true) as select * from orcid.affiliations where section = 'qualification';
comment on view orcid.qualifications is 'Affiliations of the kind qualification.';
create view orcid.distinctions with (security_invoker = true) as select * from orcid.affiliations where section = 'distinction';
comment on view orcid.distinctions is 'Affiliations of the kind distinction.';
create view orcid.invited_positions with (security_invoker = true) as select * from orcid.affiliations where section = 'invited-position';
comment on view orcid.invited_positions is 'Affiliations of the kind invited-position.';
create view orcid.memberships with (security_invoker = true) as select * from orcid.affiliations where section = 'membership';
comment on view orcid.memberships is 'Affiliations of the kind membership.';
create view orcid.services with (security_invoker = true) as select * from orcid.affiliations where section = 'service';
comment on view orcid.services is 'Affiliations of the kind service.';

-- The columns of these views mean what they mean in the table.
do $$
declare
  copied record;
begin
  for copied in
    select v.relname, c.attname, col_description(c.attrelid, c.attnum) as meaning
      from pg_class v
      join pg_attribute c on c.attrelid = 'orcid.affiliations'::regclass and c.attnum > 0 and not c.attisdropped
     where v.relnamespace = 'orcid'::regnamespace
       and v.relname in ('employments', 'educations', 'qualifications', 'distinctions', 'invited_positions', 'memberships', 'services')
  loop
    execute format('comment on column orcid.%I.%I is %L', copied.relname, copied.attname, copied.meaning);
  end loop;
end
$$;

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
  like grouped_columns including comments including generated,
  like detail_columns including comments,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.works');
comment on table orcid.works is 'Works as claimed on the record: one row per version; preferred picks one row per group.';
comment on column orcid.works.orcid is 'The iD.';
comment on column orcid.works.put_code is 'ORCID''s number of the work, unique in this table.';
comment on column orcid.works.type is 'Type of work: journal-article, book, data-set, …; the list grows.';
comment on column orcid.works.title is 'Title as given; may contain markup and line breaks.';
comment on column orcid.works.subtitle is 'Subtitle (full form only).';
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
  like organization_columns including comments,
  like period_columns including comments including generated,
  url                       text,
  organization_defined_type text,
  short_description         text,
  amount_value              text,
  amount_currency           text,
  like grouped_columns including comments including generated,
  like detail_columns including comments,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.fundings');
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
  like organization_columns including comments,
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
  like grouped_columns including comments including generated,
  like detail_columns including comments,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.peer_reviews');
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
  like period_columns including comments including generated,
  url                       text,
  like grouped_columns including comments including generated,
  like detail_columns including comments,
  like item_columns including comments including defaults,
  primary key (orcid, put_code)
);
select orcid_sync.protect_items('orcid.research_resources');
comment on table orcid.research_resources is 'Research resources (use of facilities, collections, infrastructures) by proposal.';
comment on column orcid.research_resources.orcid is 'The iD.';
comment on column orcid.research_resources.put_code is 'ORCID''s number of the item, unique in this table.';
comment on column orcid.research_resources.title is 'Title of the proposal.';
comment on column orcid.research_resources.translated_title is 'Title in another language.';
comment on column orcid.research_resources.translated_title_language is 'Language of the translated title.';
comment on column orcid.research_resources.url is 'Link to the proposal.';
