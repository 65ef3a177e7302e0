-- The mirror: the lists inside activities (resources and their hosts, identifiers, contributors); and all items in one view.

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
select orcid_sync.protect_items('orcid.research_resource_items');
comment on table orcid.research_resource_items is 'The single resources of a research resource (full form only).';
comment on column orcid.research_resource_items.orcid is 'The iD.';
comment on column orcid.research_resource_items.put_code is 'The research resource.';
comment on column orcid.research_resource_items.position is 'Place in the list, from 1.';
comment on column orcid.research_resource_items.visibility is 'Visibility of the research resource.';
comment on column orcid.research_resource_items.name is 'Name of the resource.';
comment on column orcid.research_resource_items.type is 'Type: infrastructures, collections, equipment, services.';
comment on column orcid.research_resource_items.url is 'Link to the resource.';

create table orcid.research_resource_hosts (
  orcid                     orcid_sync.orcid_id not null references orcid.records on delete cascade,
  put_code                  bigint not null,
  resource_item             integer not null,
  position                  integer not null,
  visibility                text,
  org_name                  text,
  org_city                  text,
  org_region                text,
  org_country               text,
  org_disambiguated_id      text,
  org_disambiguation_source text,
  primary key (orcid, put_code, resource_item, position),
  foreign key (orcid, put_code) references orcid.research_resources on delete cascade
);
select orcid_sync.protect_items('orcid.research_resource_hosts');
comment on table orcid.research_resource_hosts is 'Organisations that host a research resource or one of its items.';
comment on column orcid.research_resource_hosts.orcid is 'The iD.';
comment on column orcid.research_resource_hosts.put_code is 'The research resource.';
comment on column orcid.research_resource_hosts.resource_item is '0: host of the proposal; n: host of the n-th resource item.';
comment on column orcid.research_resource_hosts.position is 'Place in the list, from 1.';
comment on column orcid.research_resource_hosts.visibility is 'Visibility of the research resource.';
comment on column orcid.research_resource_hosts.org_name is 'Name of the organisation; can be null since 2025.';
comment on column orcid.research_resource_hosts.org_city is 'City of the organisation.';
comment on column orcid.research_resource_hosts.org_region is 'State or region of the organisation.';
comment on column orcid.research_resource_hosts.org_country is 'Country of the organisation, ISO 3166-1 alpha-2.';
comment on column orcid.research_resource_hosts.org_disambiguated_id is 'Identifier of the organisation in the register named beside it.';
comment on column orcid.research_resource_hosts.org_disambiguation_source is 'Register of that identifier: ROR, GRID, FUNDREF, RINGGOLD, LEI.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Identifiers and contributors

create function orcid.isbn13(isbn text) returns text
  language sql immutable parallel safe
  return case length(isbn)
    when 13 then isbn
    when 10 then '978' || left(isbn, 9) || (10 - (38
      + 3 * substr(isbn, 1, 1)::int + substr(isbn, 2, 1)::int + 3 * substr(isbn, 3, 1)::int
      + substr(isbn, 4, 1)::int + 3 * substr(isbn, 5, 1)::int + substr(isbn, 6, 1)::int
      + 3 * substr(isbn, 7, 1)::int + substr(isbn, 8, 1)::int + 3 * substr(isbn, 9, 1)::int) % 10) % 10
  end;
comment on function orcid.isbn13 is 'The ISBN with 13 digits of one with 10 or 13, given without hyphens; its check digit is computed, that of the given one is not tested.';

-- Like ORCID's own normal form (external_ids.normalized), with what that leaves apart: ISBN-10 and -13 of one book, the
-- versions and the prefix of arXiv, zeros before a PMID, full stops behind a DOI, DOIs in addresses with %2F.
create function orcid.normal_identifier(type text, value text) returns text
  language sql immutable parallel safe
  return case type
    when 'doi' then regexp_replace(
      substring(
        replace(replace(replace(replace(lower(value), '&lt;', '<'), '&gt;', '>'), '&amp;', '&'), '%2f', '/')
        from '10\.[0-9]+(?:\.[0-9]+)*/[^\s"''&]+'),
      '[.,;:]+$', '')
    when 'pmid' then substring(value from '(?i)(?:^\s*|pmid[:\s]*|pubmed/|med/|nlm\.nih\.gov/)0*([1-9][0-9]*)(?:$|[^a-z0-9.-])')
    when 'pmc' then 'PMC' || substring(value from '(?i)(?:^\s*|pmc[:\s]*)0*([1-9][0-9]*)(?:$|[^a-z0-9.-])')
    when 'arxiv' then regexp_replace(
      lower(substring(value from '(?i)(?:^|[^0-9a-z.-])((?:[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[a-z]{2})?/[0-9]{7}))(?:v[0-9]+)?(?:$|[^0-9])')),
      '\.[a-z]{2}/', '/')
    when 'isbn' then orcid.isbn13(upper(regexp_replace(
      substring(value from '(?:^|[^0-9-])((?:97[89][ -]?)?(?:[0-9][ -]?){9}[0-9xX])(?:$|[^0-9xX])'), '[ -]', '', 'g')))
    when 'issn' then upper(regexp_replace(
      substring(value from '(?:^|[^0-9])([0-9]{4}-?[0-9]{3}[0-9xX])(?:$|[^0-9xX])'), '^(....)-?', '\1-'))
    else nullif(btrim(value, e' \t\r\n'), '')
  end;
comment on function orcid.normal_identifier is 'An identifier in one form, whoever wrote it: DOIs in lower case without address, arXiv ids without prefix and version, PMIDs without zeros, PMC ids with PMC, ISBNs with 13 digits, ISSNs with a hyphen; null if it is none. Of other types the text without blanks around it.';

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
  identifier           text generated always as (
    coalesce(orcid.normal_identifier(type, normalized), orcid.normal_identifier(type, value))) stored,
  primary key (orcid, section, put_code, resource_item, position)
);
-- Whoever looks for an identifier looks in this column. A hash, for ORCID sets no limit to the text.
create index external_ids_identifier on orcid.external_ids using hash (identifier);
select orcid_sync.protect_items('orcid.external_ids');
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
comment on column orcid.external_ids.identifier is 'The identifier in one form, whoever wrote it (normal_identifier of what ORCID or the source says); null if it is not what its type says. The column to compare and join by.';

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
select orcid_sync.protect_items('orcid.contributors');
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

create view orcid.items with (security_invoker = true) as
  select i.orcid, i.section, i.key, i.visibility, i.modified_at, i.first_seen_at, i.changed_at, i.digest, i.detail_modified_at, i.doc, i.detail,
         i.group_put_code, i.group_position, i.created_at,
         orcid.asserted_by(i.orcid, i.source_client_id, i.source_orcid, i.assertion_origin_orcid) as asserted_by, i.source_name
    from (
      select orcid, 'name' as section, '' as key, visibility, modified_at, first_seen_at, changed_at, digest, null::timestamptz as detail_modified_at, doc, null::jsonb as detail, null::bigint as group_put_code, null::integer as group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.names
      union all select orcid, 'biography', '', visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.biographies
      union all select orcid, 'email', email, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.emails
      union all select orcid, 'other-name', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.other_names
      union all select orcid, 'keyword', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.keywords
      union all select orcid, 'address', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.addresses
      union all select orcid, 'researcher-url', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.researcher_urls
      union all select orcid, 'external-identifier', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.person_identifiers
      union all select orcid, section, put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, group_put_code, group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.affiliations
      union all select orcid, 'work', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.works
      union all select orcid, 'funding', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.fundings
      union all select orcid, 'peer-review', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.peer_reviews
      union all select orcid, 'research-resource', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position, created_at, source_client_id, source_orcid, assertion_origin_orcid, source_name from orcid.research_resources
    ) i;
comment on view orcid.items is 'Every item of every section in one shape; the typed columns are in the section''s own table.';
comment on column orcid.items.orcid is 'The iD.';
comment on column orcid.items.section is 'Section, as in changes.';
comment on column orcid.items.key is 'The item, as in changes: put-code, e-mail address, or empty.';
comment on column orcid.items.visibility is 'Who may see the item at ORCID.';
comment on column orcid.items.modified_at is 'When the item was last changed at ORCID.';
comment on column orcid.items.first_seen_at is 'When the mirror first held this item.';
comment on column orcid.items.changed_at is 'When the mirror last changed it.';
comment on column orcid.items.digest is 'Hash of the item as ORCID gave it.';
comment on column orcid.items.detail_modified_at is 'last-modified-date of the full item as it was when read.';
comment on column orcid.items.doc is 'The item as ORCID gave it.';
comment on column orcid.items.detail is 'The full item as ORCID gave it.';
comment on column orcid.items.group_put_code is 'The group that the item is in, by its smallest put-code.';
comment on column orcid.items.group_position is 'Place inside the group; 0 is preferred.';
comment on column orcid.items.created_at is 'When the item was added at ORCID.';
comment on column orcid.items.asserted_by is 'Who vouches for it: holder, organisation, or null where ORCID names no source (names, biographies).';
comment on column orcid.items.source_name is 'Name of the source as ORCID shows it.';
