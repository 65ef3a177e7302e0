-- What analysts ask without reading JSON: identifiers in one form, organisations by ROR, works across people, coverage.
-- statement_timeout: 60min
--
-- The column external_ids.identifier rewrites that table once, under a lock that readers and workers wait for.

-- ---------------------------------------------------------------------------------------------------------------------
-- Dates, identifiers, sources

create function orcid.latest_date(year smallint, month smallint, day smallint) returns date
  language sql immutable parallel safe
  return case when year between 1 and 9999 then
    case when month between 1 and 12 then
      case when day between 1 and extract(day from make_date(year, month, 1) + interval '1 month' - interval '1 day')
        then make_date(year, month, day)
        else (make_date(year, month, 1) + interval '1 month' - interval '1 day')::date end
      else make_date(year, 12, 31) end
  end;
comment on function orcid.latest_date is 'The latest day that a fuzzy date can mean: missing or impossible parts count as the last; null without a usable year. What has no end before this day may still go on.';

-- ORCID's source block (contract section 3.6). A client that writes in the holder's name (assertion origin) repeats what
-- the holder says, so that is the holder's word. Some old clients have ids in the form of an iD.
create function orcid.asserted_by(orcid text, source_client_id text, source_orcid text, assertion_origin_orcid text) returns text
  language sql immutable parallel safe
  return case
    when source_orcid = orcid or assertion_origin_orcid = orcid then 'holder'
    when coalesce(source_client_id, source_orcid) is not null then 'organisation'
  end;
comment on function orcid.asserted_by is 'Who vouches for an item: holder (typed in, or written by a client on the holder''s behalf), organisation (anybody else), or null where ORCID names no source, as for names and biographies.';

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

alter table orcid.external_ids add column identifier text generated always as (
  coalesce(orcid.normal_identifier(type, normalized), orcid.normal_identifier(type, value))) stored;
create index external_ids_identifier on orcid.external_ids using hash (identifier);
comment on column orcid.external_ids.identifier is 'The identifier in one form, whoever wrote it (normal_identifier of what ORCID or the source says); null if it is not what its type says. The column to compare and join by.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Organisations: the Research Organization Registry, loaded from its dump (orcid-sync organisations load).
-- About organisations, not iDs, so their keys have no orcid: reference tables, the same for everybody.

create table orcid.organisations (
  ror         text primary key,
  name        text not null,
  status      text not null,
  types       text[] not null default '{}',
  established integer,
  city        text,
  country     text,
  website     text,
  parents     text[] not null default '{}',
  successors  text[] not null default '{}'
);
alter table orcid.organisations enable row level security;
create policy visible on orcid.organisations for select to public using (true);
comment on table orcid.organisations is 'Organisations as ROR''s dump describes them; empty until one is loaded (orcid-sync organisations load).';
comment on column orcid.organisations.ror is 'ROR id, as an address: https://ror.org/….';
comment on column orcid.organisations.name is 'The name that ROR shows.';
comment on column orcid.organisations.status is 'active, inactive, or withdrawn (it was entered by mistake, or twice).';
comment on column orcid.organisations.types is 'education, healthcare, company, archive, nonprofit, government, facility, funder, other.';
comment on column orcid.organisations.established is 'Year of its foundation.';
comment on column orcid.organisations.city is 'City of its first location.';
comment on column orcid.organisations.country is 'Country of its first location, ISO 3166-1 alpha-2.';
comment on column orcid.organisations.website is 'Its web site.';
comment on column orcid.organisations.parents is 'ROR ids of the organisations that it is part of.';
comment on column orcid.organisations.successors is 'ROR ids of the organisations that took its place.';

create table orcid.organisation_ids (
  scheme    text not null,
  id        text not null,
  ror       text not null references orcid.organisations on delete cascade,
  preferred boolean not null,
  origin    text not null,
  primary key (scheme, id)
);
create index organisation_ids_ror on orcid.organisation_ids (ror);
alter table orcid.organisation_ids enable row level security;
create policy visible on orcid.organisation_ids for select to public using (true);
comment on table orcid.organisation_ids is 'What organisation an identifier means: GRID, FundRef, ISNI, Wikidata and ROR ids from ROR''s dump, others (Ringgold) as far as a mapping was given.';
comment on column orcid.organisation_ids.scheme is 'ror, grid, fundref, isni, wikidata, ringgold, …: ORCID''s disambiguation source in lower case.';
comment on column orcid.organisation_ids.id is 'The identifier in the form of normal_organisation_id.';
comment on column orcid.organisation_ids.ror is 'The organisation. Of withdrawn ones the successor, if there is just one.';
comment on column orcid.organisation_ids.preferred is 'Whether it is the one of its scheme that the organisation prefers.';
comment on column orcid.organisation_ids.origin is 'ror: the dump; mapping: the file that was given with it.';

create function orcid.normal_organisation_id(scheme text, id text) returns text
  language sql immutable parallel safe
  return case lower(scheme)
    when 'ror' then 'https://ror.org/' || substring(lower(id) from '(?:^|[^0-9a-z])(0[0-9a-z]{6}[0-9]{2})(?:$|[^0-9a-z])')
    when 'grid' then substring(lower(id) from 'grid\.[0-9]+\.[0-9a-f]+')
    when 'fundref' then substring(id from '(?:^\s*|10\.13039/)([0-9]+)\s*$')
    when 'isni' then nullif(regexp_replace(upper(id), '[^0-9X]', '', 'g'), '')
    when 'wikidata' then substring(upper(id) from 'Q[0-9]+')
    when 'ringgold' then substring(id from '^\s*0*([1-9][0-9]*)\s*$')
    else nullif(upper(btrim(id, e' \t\r\n')), '')
  end;
comment on function orcid.normal_organisation_id is 'An organisation''s identifier in one form: ROR ids as addresses, GRID ids in lower case, FundRef numbers without the DOI around them, ISNIs without blanks, Ringgold numbers without zeros; null if it is none.';

create function orcid.ror(scheme text, id text) returns text
  language sql stable parallel safe
begin atomic
  select coalesce(
    (select i.ror from orcid.organisation_ids i where i.scheme = lower(ror.scheme) and i.id = orcid.normal_organisation_id(ror.scheme, ror.id)),
    case when lower(ror.scheme) = 'ror' then orcid.normal_organisation_id(ror.scheme, ror.id) end);
end;
comment on function orcid.ror is 'The ROR id of an organisation that is named in another scheme: ror(org_disambiguation_source, org_disambiguated_id). Null if it is not known; a ROR id needs no dump to be known.';

create view orcid.item_organisations with (security_invoker = true) as
  select i.orcid, i.section, i.put_code, i.org_name, n.scheme, n.id, coalesce(m.ror, case when n.scheme = 'ror' then n.id end) as ror,
         coalesce(o.name, i.org_name) as organisation, coalesce(o.country, i.org_country) as country, o.types, o.status
    from (
      select orcid, section, put_code, org_name, org_country, org_disambiguation_source, org_disambiguated_id from orcid.affiliations
      union all
      select orcid, 'funding', put_code, org_name, org_country, org_disambiguation_source, org_disambiguated_id from orcid.fundings
      union all
      select orcid, 'peer-review', put_code, org_name, org_country, org_disambiguation_source, org_disambiguated_id from orcid.peer_reviews
      union all
      select orcid, 'research-resource', put_code, org_name, org_country, org_disambiguation_source, org_disambiguated_id
        from orcid.research_resource_hosts where resource_item = 0
    ) i
   cross join lateral (
      select lower(i.org_disambiguation_source) as scheme,
             orcid.normal_organisation_id(i.org_disambiguation_source, i.org_disambiguated_id) as id
    ) n
    left join orcid.organisation_ids m on m.scheme = n.scheme and m.id = n.id
    left join orcid.organisations o on o.ror = coalesce(m.ror, n.id)
   where i.org_name is not null or n.id is not null;
comment on view orcid.item_organisations is 'The organisation of each affiliation, the funder of each funding, the convener of each peer review, the hosts of each research resource, with its ROR id as far as it is known.';
comment on column orcid.item_organisations.orcid is 'The iD.';
comment on column orcid.item_organisations.section is 'Section of the item: employment, …, funding, peer-review, research-resource.';
comment on column orcid.item_organisations.put_code is 'The item.';
comment on column orcid.item_organisations.org_name is 'Name of the organisation as the item has it.';
comment on column orcid.item_organisations.scheme is 'Register of the identifier in the item, in lower case: ror, grid, fundref, ringgold, lei; null if there is none.';
comment on column orcid.item_organisations.id is 'That identifier in the form of normal_organisation_id; null if it is none.';
comment on column orcid.item_organisations.ror is 'ROR id of the organisation; null if it is not known. The column to group by.';
comment on column orcid.item_organisations.organisation is 'Name of the organisation at ROR, else as the item has it.';
comment on column orcid.item_organisations.country is 'Country at ROR, else as the item has it; ISO 3166-1 alpha-2.';
comment on column orcid.item_organisations.types is 'Types of the organisation at ROR; null if ROR is not loaded or does not know it.';
comment on column orcid.item_organisations.status is 'Status at ROR: active, inactive, withdrawn; null if ROR is not loaded or does not know it.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Items, with who vouches for them

create or replace view orcid.items with (security_invoker = true) as
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
comment on column orcid.items.created_at is 'When the item was added at ORCID.';
comment on column orcid.items.asserted_by is 'Who vouches for it: holder, organisation, or null where ORCID names no source (names, biographies).';
comment on column orcid.items.source_name is 'Name of the source as ORCID shows it.';

-- ---------------------------------------------------------------------------------------------------------------------
-- People and where they work

create view orcid.current_affiliations with (security_invoker = true) as
  select a.orcid, coalesce(n.credit_name, nullif(concat_ws(' ', n.given_names, n.family_name), '')) as name,
         a.section, a.put_code, a.role_title, a.department_name, a.org_name, a.org_city, a.org_country,
         coalesce(m.ror, case when i.scheme = 'ror' then i.id end) as ror, coalesce(o.name, a.org_name) as organisation,
         a.start_year, a.start_date, a.end_date,
         orcid.asserted_by(a.orcid, a.source_client_id, a.source_orcid, a.assertion_origin_orcid) as asserted_by, a.source_name, a.visibility
    from orcid.affiliations a
    left join orcid.names n on n.orcid = a.orcid
   cross join lateral (
      select lower(a.org_disambiguation_source) as scheme,
             orcid.normal_organisation_id(a.org_disambiguation_source, a.org_disambiguated_id) as id
    ) i
    left join orcid.organisation_ids m on m.scheme = i.scheme and m.id = i.id
    left join orcid.organisations o on o.ror = coalesce(m.ror, i.id)
   where (a.end_year is null or orcid.latest_date(a.end_year, a.end_month, a.end_day) >= current_date)
     and coalesce(a.start_date, current_date) <= current_date;
comment on view orcid.current_affiliations is 'Affiliations of every kind that have begun and not ended, as far as their dates tell. Without an end they may be forgotten rather than current.';
comment on column orcid.current_affiliations.orcid is 'The iD.';
comment on column orcid.current_affiliations.name is 'Published name, else given and family names; null if not visible.';
comment on column orcid.current_affiliations.section is 'Kind: employment, education, qualification, distinction, invited-position, membership or service.';
comment on column orcid.current_affiliations.put_code is 'ORCID''s number of the affiliation.';
comment on column orcid.current_affiliations.role_title is 'Role, title or degree.';
comment on column orcid.current_affiliations.department_name is 'Department.';
comment on column orcid.current_affiliations.org_name is 'Name of the organisation as the affiliation has it.';
comment on column orcid.current_affiliations.org_city is 'City of the organisation.';
comment on column orcid.current_affiliations.org_country is 'Country of the organisation, ISO 3166-1 alpha-2.';
comment on column orcid.current_affiliations.ror is 'ROR id of the organisation; null if it is not known. The column to group by.';
comment on column orcid.current_affiliations.organisation is 'Name of the organisation at ROR, else as the affiliation has it.';
comment on column orcid.current_affiliations.start_year is 'Year of the start.';
comment on column orcid.current_affiliations.start_date is 'Earliest day that the start can mean.';
comment on column orcid.current_affiliations.end_date is 'Earliest day that the end can mean; null without an end.';
comment on column orcid.current_affiliations.asserted_by is 'Who vouches for it: holder, organisation, or null where ORCID names no source.';
comment on column orcid.current_affiliations.source_name is 'Name of the source as ORCID shows it.';
comment on column orcid.current_affiliations.visibility is 'Who may see the affiliation at ORCID.';

create or replace view orcid.people with (security_invoker = true) as
  select r.orcid,
         coalesce(n.credit_name, nullif(concat_ws(' ', n.given_names, n.family_name), '')) as name,
         n.given_names,
         n.family_name,
         r.state,
         r.access,
         e.org_name as employer,
         (select count(distinct w.group_put_code) from orcid.works w where w.orcid = r.orcid) as works,
         r.registry_modified_at,
         r.changed_at,
         orcid.ror(e.org_disambiguation_source, e.org_disambiguated_id) as employer_ror,
         e.role_title,
         e.department_name,
         orcid.asserted_by(r.orcid, e.source_client_id, e.source_orcid, e.assertion_origin_orcid) as employment_asserted_by,
         (select count(distinct f.group_put_code) from orcid.fundings f where f.orcid = r.orcid) as fundings,
         (select count(*) from orcid.peer_reviews p where p.orcid = r.orcid) as peer_reviews,
         r.submitted_at as registered_at,
         r.first_seen_at,
         (select c.state from orcid_sync.connections c where c.orcid = r.orcid) as connection
    from orcid.records r
    left join orcid.names n using (orcid)
    left join lateral (
      select a.* from orcid.affiliations a
       where a.orcid = r.orcid and a.section = 'employment'
         and (a.end_year is null or orcid.latest_date(a.end_year, a.end_month, a.end_day) >= current_date)
       order by a.start_date desc nulls last, a.put_code desc limit 1
    ) e on true;
comment on column orcid.people.employer is 'Organisation of the latest employment that has not ended.';
comment on column orcid.people.employer_ror is 'ROR id of that organisation; null if it is not known.';
comment on column orcid.people.role_title is 'Role in that employment.';
comment on column orcid.people.department_name is 'Department of that employment.';
comment on column orcid.people.employment_asserted_by is 'Who vouches for that employment: holder or organisation.';
comment on column orcid.people.fundings is 'Number of fundings, each group of versions counted once.';
comment on column orcid.people.peer_reviews is 'Number of peer reviews.';
comment on column orcid.people.registered_at is 'When the iD was registered at ORCID.';
comment on column orcid.people.first_seen_at is 'When the mirror first held this record.';
comment on column orcid.people.connection is 'State of the connection: connected, disconnecting or disconnected; null: mirrored from a file, never connected.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Works across people

create or replace view orcid.work_groups with (security_invoker = true) as
  select p.orcid, p.group_put_code, p.put_code, p.type, p.title, p.journal_title, p.publication_date, p.publication_year, p.versions, i.doi,
         i.pmid, i.arxiv, i.isbn, p.sources_holder > 0 as by_holder, p.sources_organisation > 0 as by_organisation, p.first_seen_at
    from (
      select w.*, count(*) over (partition by w.orcid, w.group_put_code) as versions,
             count(*) filter (where orcid.asserted_by(w.orcid, w.source_client_id, w.source_orcid, w.assertion_origin_orcid) = 'holder') over (partition by w.orcid, w.group_put_code) as sources_holder,
             count(*) filter (where orcid.asserted_by(w.orcid, w.source_client_id, w.source_orcid, w.assertion_origin_orcid) = 'organisation') over (partition by w.orcid, w.group_put_code) as sources_organisation,
             row_number() over (partition by w.orcid, w.group_put_code order by w.group_position) as place
        from orcid.works w
    ) p
    left join (
      select v.orcid, v.group_put_code,
             (array_agg(e.identifier order by v.group_position, e.position) filter (where e.type = 'doi'))[1] as doi,
             (array_agg(e.identifier order by v.group_position, e.position) filter (where e.type = 'pmid'))[1] as pmid,
             (array_agg(e.identifier order by v.group_position, e.position) filter (where e.type = 'arxiv'))[1] as arxiv,
             (array_agg(e.identifier order by v.group_position, e.position) filter (where e.type = 'isbn'))[1] as isbn
        from orcid.works v
        join orcid.external_ids e
          on e.orcid = v.orcid and e.section = 'work' and e.put_code = v.put_code and e.relationship = 'self' and e.identifier is not null
       where e.type in ('doi', 'pmid', 'arxiv', 'isbn')
       group by v.orcid, v.group_put_code
    ) i using (orcid, group_put_code)
   where p.place = 1;
comment on column orcid.work_groups.doi is 'DOI of the work (relationship self), the preferred version''s first; in the form of external_ids.identifier.';
comment on column orcid.work_groups.pmid is 'PubMed id of the work.';
comment on column orcid.work_groups.arxiv is 'arXiv id of the work, without version.';
comment on column orcid.work_groups.isbn is 'ISBN of the work, with 13 digits.';
comment on column orcid.work_groups.by_holder is 'Whether the holder vouches for one of the versions.';
comment on column orcid.work_groups.by_organisation is 'Whether an organisation vouches for one of the versions.';
comment on column orcid.work_groups.first_seen_at is 'When the mirror first held the version that is shown.';

-- Which works of different people are one: those that share an identifier, directly or (twice removed) through others
-- that have both. DOI before PMID before arXiv before ISBN names them; the DOIs that arXiv gives are arXiv ids. What ORCID
-- groups on one record is one work here, too. A chapter's ISBN is that of the book, whatever its relationship says.
create view orcid.publication_claims with (security_invoker = true) as
  with named as materialized (
    select distinct w.orcid, w.group_put_code,
           (case
             when e.type = 'doi' and e.identifier like '10.48550/arxiv.%'
               then '3arxiv:' || orcid.normal_identifier('arxiv', substr(e.identifier, 16))
             else array_position(array['doi', 'pmid', 'arxiv', 'isbn'], e.type) || e.type || ':' || e.identifier
           end) collate "C" as label
      from orcid.works w
      join orcid.external_ids e on e.orcid = w.orcid and e.section = 'work' and e.put_code = w.put_code
     where e.relationship = 'self' and e.type in ('doi', 'pmid', 'arxiv', 'isbn') and e.identifier is not null
       and (e.type <> 'isbn' or w.type is null or w.type not in (
             'book-chapter', 'book-review', 'conference-paper', 'conference-abstract', 'dictionary-entry', 'encyclopedia-entry'))
  ), grouped as (
    select orcid, group_put_code, min(label) as label from named where label is not null group by 1, 2
  ), shared as (
    select n.label as name, min(g.label) as label from named n join grouped g using (orcid, group_put_code) group by 1
  ), grouped_again as (
    select n.orcid, n.group_put_code, min(s.label) as label from named n join shared s on s.name = n.label group by 1, 2
  ), shared_again as (
    select n.label as name, min(g.label) as label from named n join grouped_again g using (orcid, group_put_code) group by 1
  ), resolved as (
    select n.orcid, n.group_put_code, min(s.label) as label,
           array_agg(distinct substr(n.label, 2) order by substr(n.label, 2)) as identifiers
      from named n join shared_again s on s.name = n.label group by 1, 2
  )
  select coalesce(split_part(substr(r.label, 2), ':', 1) collate "default", 'put-code') as identifier_type,
         coalesce(substr(r.label, strpos(r.label, ':') + 1) collate "default", g.orcid || '/' || g.group_put_code) as identifier,
         g.orcid, g.group_put_code, g.put_code, g.type, g.title, g.journal_title, g.publication_date, g.publication_year,
         g.versions, g.by_holder, g.by_organisation, g.first_seen_at, coalesce(r.identifiers collate "default", '{}') as identifiers
    from orcid.work_groups g left join resolved r using (orcid, group_put_code);
comment on view orcid.publication_claims is 'One row per work on a record, with the publication that it is: identifier_type and identifier are the same for all who claim it. For what is asked of people and publications together.';
comment on column orcid.publication_claims.identifier_type is 'doi, pmid, arxiv, isbn, or put-code where the work has none.';
comment on column orcid.publication_claims.identifier is 'The publication''s best identifier, in the form of external_ids.identifier; of put-code: the iD and the group.';
comment on column orcid.publication_claims.orcid is 'The iD that claims it.';
comment on column orcid.publication_claims.group_put_code is 'The group of versions on that record.';
comment on column orcid.publication_claims.put_code is 'The version that is shown.';
comment on column orcid.publication_claims.type is 'Type of work on that record.';
comment on column orcid.publication_claims.title is 'Title on that record.';
comment on column orcid.publication_claims.journal_title is 'Journal on that record.';
comment on column orcid.publication_claims.publication_date is 'Earliest day that the publication date on that record can mean.';
comment on column orcid.publication_claims.publication_year is 'Year of publication on that record.';
comment on column orcid.publication_claims.versions is 'Number of versions on that record.';
comment on column orcid.publication_claims.by_holder is 'Whether the holder vouches for one of the versions.';
comment on column orcid.publication_claims.by_organisation is 'Whether an organisation vouches for one of the versions.';
comment on column orcid.publication_claims.first_seen_at is 'When the mirror first held the version that is shown.';
comment on column orcid.publication_claims.identifiers is 'All its identifiers on that record, each as type:identifier.';

-- Titles differ if their letters and digits do; capitals, markup and punctuation are nobody's contradiction.
create or replace view orcid.publications with (security_invoker = true) as
  select c.identifier_type, c.identifier,
         (array_agg(c.title order by c.title is null, c.orcid, c.group_put_code))[1] as title,
         (array_agg(c.type order by c.type is null, c.orcid, c.group_put_code))[1] as type,
         min(c.publication_date) as publication_date,
         array_agg(distinct c.orcid::text) as claimants,
         extract(year from min(c.publication_date))::integer as publication_year,
         (array_agg(c.journal_title order by c.journal_title is null, c.orcid, c.group_put_code))[1] as journal_title,
         count(distinct c.orcid) as people,
         sum(c.versions)::bigint as versions,
         (select array_agg(distinct one order by one) from unnest(string_to_array(string_agg(array_to_string(c.identifiers, e'\n'), e'\n'), e'\n')) as one where one <> '') as identifiers,
         array_agg(distinct c.title order by c.title) filter (where c.title is not null) as titles,
         array_agg(distinct c.publication_year order by c.publication_year) filter (where c.publication_year is not null) as years,
         array_agg(distinct c.type order by c.type) filter (where c.type is not null) as types,
         array_remove(array[
           case when count(distinct regexp_replace(lower(c.title), '<[^>]*>|[^[:alnum:]]', '', 'g')) > 1 then 'title' end,
           case when count(distinct c.publication_year) > 1 then 'year' end,
           case when count(distinct c.type) > 1 then 'type' end], null) as conflicts,
         bool_or(c.by_organisation) as by_organisation
    from orcid.publication_claims c
   group by c.identifier_type, c.identifier;
comment on view orcid.publications is 'One row per work across people: by DOI, else PMID, arXiv or ISBN, and whatever shares one of them; works without any of them stand alone. It is computed as a whole: to look up one DOI, ask external_ids.identifier.';
comment on column orcid.publications.identifier is 'Its best identifier, in the form of external_ids.identifier.';
comment on column orcid.publications.title is 'Title as the first of the claimants that gives one has it.';
comment on column orcid.publications.type is 'Type of work, likewise.';
comment on column orcid.publications.publication_year is 'Year of that date.';
comment on column orcid.publications.journal_title is 'Journal, as the first of the claimants that gives one has it.';
comment on column orcid.publications.people is 'Number of claimants.';
comment on column orcid.publications.versions is 'Number of versions on all their records.';
comment on column orcid.publications.identifiers is 'All its identifiers, each as type:identifier; null if it has none.';
comment on column orcid.publications.titles is 'The titles that claimants give.';
comment on column orcid.publications.years is 'The years of publication that claimants give.';
comment on column orcid.publications.types is 'The types that claimants give.';
comment on column orcid.publications.conflicts is 'In what the claims contradict each other: title (other letters or digits), year, type; empty if in nothing.';
comment on column orcid.publications.by_organisation is 'Whether an organisation vouches for it on any record.';

create view orcid.works_by_year with (security_invoker = true) as
  select p.publication_year, p.type, count(*) as publications, sum(p.people)::bigint as claims,
         count(*) filter (where p.people > 1) as shared,
         count(*) filter (where exists (select from unnest(p.identifiers) as i where i like 'doi:%')) as with_doi,
         count(*) filter (where p.by_organisation) as by_organisation
    from orcid.publications p
   group by p.publication_year, p.type;
comment on view orcid.works_by_year is 'Works by year and type, each counted once however many versions and co-authors it has. The counts may be added up over years and types.';
comment on column orcid.works_by_year.publication_year is 'Year of publication, the earliest that a claimant gives; null if nobody gives one.';
comment on column orcid.works_by_year.type is 'Type of work.';
comment on column orcid.works_by_year.publications is 'Number of publications.';
comment on column orcid.works_by_year.claims is 'How often they are claimed: once for each person.';
comment on column orcid.works_by_year.shared is 'Those of them that two or more people claim.';
comment on column orcid.works_by_year.with_doi is 'Those of them that have a DOI.';
comment on column orcid.works_by_year.by_organisation is 'Those of them for which an organisation vouches on any record.';

create view orcid.co_authors with (security_invoker = true) as
  select a.orcid, b.orcid as co_author, count(*) as publications, min(a.publication_year) as first_year, max(a.publication_year) as last_year
    from (select distinct on (orcid, identifier_type, identifier) orcid, identifier_type, identifier, publication_year
            from orcid.publication_claims order by orcid, identifier_type, identifier, publication_year) a
    join (select distinct orcid, identifier_type, identifier from orcid.publication_claims) b
      on b.identifier_type = a.identifier_type and b.identifier = a.identifier and b.orcid <> a.orcid
   where a.identifier_type <> 'put-code'
   group by a.orcid, b.orcid;
comment on view orcid.co_authors is 'Pairs of mirrored people who claim the same publications; each pair in both directions. Co-authors without a record here are in contributors.';
comment on column orcid.co_authors.orcid is 'One of them.';
comment on column orcid.co_authors.co_author is 'The other.';
comment on column orcid.co_authors.publications is 'Number of publications that both claim.';
comment on column orcid.co_authors.first_year is 'Year of the first of these, as the one says.';
comment on column orcid.co_authors.last_year is 'Year of the last of these, as the one says.';

-- ---------------------------------------------------------------------------------------------------------------------
-- The mirror as a whole

create view orcid.changes_per_day with (security_invoker = true) as
  select (f.at at time zone 'UTC')::date as day, f.section, f.op, f.cause,
         count(*) as changes, count(*) filter (where f.minor) as minor, count(distinct f.orcid) as people
    from orcid.change_feed f
   group by 1, 2, 3, 4;
comment on view orcid.changes_per_day is 'Changes by day, section, operation and cause, as the reader''s feed has them.';
comment on column orcid.changes_per_day.day is 'Day in UTC on which the mirror took them in.';
comment on column orcid.changes_per_day.section is 'Section of the items.';
comment on column orcid.changes_per_day.op is 'added, updated, removed or withdrawn.';
comment on column orcid.changes_per_day.cause is 'What led to the reads; first-load and bootstrap are no news, but the start of following somebody.';
comment on column orcid.changes_per_day.changes is 'Number of changes.';
comment on column orcid.changes_per_day.minor is 'Those of them that only moved dates, order, names of sources or normalised identifiers.';
comment on column orcid.changes_per_day.people is 'Number of iDs. Not to be added up: the same people have changes in several sections.';

create view orcid.coverage with (security_invoker = true) as
  select s.section, m.records, count(h.orcid) as records_with,
         round(100.0 * count(h.orcid) / nullif(m.records, 0), 1) as percent,
         count(h.orcid) filter (where h.by_holder > 0) as records_by_holder,
         count(h.orcid) filter (where h.by_organisation > 0) as records_by_organisation,
         coalesce(sum(h.items), 0)::bigint as items,
         coalesce(sum(h.public), 0)::bigint as public_items,
         coalesce(sum(h.items - h.public), 0)::bigint as restricted_items,
         coalesce(sum(h.by_holder), 0)::bigint as items_by_holder,
         coalesce(sum(h.by_organisation), 0)::bigint as items_by_organisation
    from unnest(array[
           'name', 'biography', 'email', 'other-name', 'keyword', 'address', 'researcher-url', 'external-identifier',
           'employment', 'education', 'qualification', 'distinction', 'invited-position', 'membership', 'service',
           'work', 'funding', 'peer-review', 'research-resource']) as s (section)
   cross join (select count(*) as records from orcid.records where state = 'active') m
    left join (
      select i.section, i.orcid, count(*) as items, count(*) filter (where i.visibility = 'public') as public,
             count(*) filter (where i.asserted_by = 'holder') as by_holder,
             count(*) filter (where i.asserted_by = 'organisation') as by_organisation
        from orcid.items i join orcid.records r on r.orcid = i.orcid and r.state = 'active'
       group by i.section, i.orcid
    ) h on h.section = s.section
   group by s.section, m.records;
comment on view orcid.coverage is 'How complete the active records are: for each section, how many have something in it that the reader may see, who vouches for it, and who may see it.';
comment on column orcid.coverage.section is 'Section, as ORCID names it.';
comment on column orcid.coverage.records is 'Number of active records.';
comment on column orcid.coverage.records_with is 'Those of them with at least one item in the section.';
comment on column orcid.coverage.percent is 'That as a share, per cent.';
comment on column orcid.coverage.records_by_holder is 'Records with at least one item for which the holder vouches.';
comment on column orcid.coverage.records_by_organisation is 'Records with at least one item for which an organisation vouches.';
comment on column orcid.coverage.items is 'Number of items; of works and their like each version counts.';
comment on column orcid.coverage.public_items is 'Those of them that everybody may see.';
comment on column orcid.coverage.restricted_items is 'Those of them that not everybody may see.';
comment on column orcid.coverage.items_by_holder is 'Those of them for which the holder vouches.';
comment on column orcid.coverage.items_by_organisation is 'Those of them for which an organisation vouches. Names and biographies have no source.';

select orcid_sync.grant_readers();
