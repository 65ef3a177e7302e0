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

-- Where a dump of ROR waits for its last row, before it takes the place of the one before.
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
