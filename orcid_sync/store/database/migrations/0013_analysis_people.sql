-- What analysts ask of people and of the mirror as a whole, without reading JSON.

create view orcid.people with (security_invoker = true) as
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
         orcid.connection_state(r.orcid) as connection
    from orcid.records r
    left join orcid.names n using (orcid)
    left join lateral (
      select a.* from orcid.affiliations a
       where a.orcid = r.orcid and a.section = 'employment'
         and (a.end_year is null or orcid.latest_date(a.end_year, a.end_month, a.end_day) >= current_date)
       order by a.start_date desc nulls last, a.put_code desc limit 1
    ) e on true;
comment on view orcid.people is 'One row per mirrored iD with what one wants to see first.';
comment on column orcid.people.orcid is 'The iD.';
comment on column orcid.people.name is 'Published name, else given and family names; null if not visible to us.';
comment on column orcid.people.given_names is 'Given names.';
comment on column orcid.people.family_name is 'Family name.';
comment on column orcid.people.state is 'State of the record.';
comment on column orcid.people.access is 'What the record is read with.';
comment on column orcid.people.employer is 'Organisation of the latest employment that has not ended.';
comment on column orcid.people.works is 'Number of works, each group of versions counted once.';
comment on column orcid.people.registry_modified_at is 'When the record last moved at ORCID, visibly or not.';
comment on column orcid.people.changed_at is 'When the mirror of the record last changed.';
comment on column orcid.people.employer_ror is 'ROR id of that organisation; null if it is not known.';
comment on column orcid.people.role_title is 'Role in that employment.';
comment on column orcid.people.department_name is 'Department of that employment.';
comment on column orcid.people.employment_asserted_by is 'Who vouches for that employment: holder or organisation.';
comment on column orcid.people.fundings is 'Number of fundings, each group of versions counted once.';
comment on column orcid.people.peer_reviews is 'Number of peer reviews.';
comment on column orcid.people.registered_at is 'When the iD was registered at ORCID.';
comment on column orcid.people.first_seen_at is 'When the mirror first held this record.';
comment on column orcid.people.connection is 'State of the connection: connected, disconnecting or disconnected; null: mirrored from a file, never connected.';

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

-- ---------------------------------------------------------------------------------------------------------------------
-- What changed

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

-- Where each kind of item has its title (contract section 3.6); of names the parts.
create function orcid.item_title(content jsonb) returns text
  language sql immutable parallel safe
  return coalesce(
    content #>> '{doc,title,title,value}', content #>> '{doc,proposal,title,title,value}', content #>> '{doc,credit-name,value}',
    nullif(concat_ws(' ', content #>> '{doc,given-names,value}', content #>> '{doc,family-name,value}'), ''),
    content #>> '{doc,content}', content #>> '{doc,email}', content #>> '{doc,external-id-value}', content #>> '{doc,url-name}', content #>> '{doc,url,value}',
    content #>> '{doc,country,value}',
    nullif(concat_ws(', ', content #>> '{doc,role-title}', content #>> '{doc,reviewer-role}', content #>> '{doc,organization,name}', content #>> '{doc,convening-organization,name}'), ''));
comment on function orcid.item_title is 'What to call an item, from its content in the feed or in record_as_of: title, name, keyword, address, role and organisation.';

create view orcid.change_log with (security_invoker = true) as
  select f.seq, f.at, f.orcid, f.section, f.key, f.op, f.reason, f.fields, f.minor, f.cause, orcid.item_title(coalesce(f.new, f.old)) as title
    from orcid.change_feed f
   where f.section <> 'record';
comment on view orcid.change_log is 'The change feed for people who ask what happened: each change with what its item is called instead of its content.';
comment on column orcid.change_log.seq is 'Position in the feed.';
comment on column orcid.change_log.at is 'When the mirror took it in.';
comment on column orcid.change_log.orcid is 'The iD.';
comment on column orcid.change_log.section is 'Section of the item.';
comment on column orcid.change_log.key is 'The item: its put-code, or the e-mail address.';
comment on column orcid.change_log.op is 'added, updated, removed or withdrawn.';
comment on column orcid.change_log.reason is 'Why an item went.';
comment on column orcid.change_log.fields is 'Of an update: the columns that differ.';
comment on column orcid.change_log.minor is 'Whether only dates, order, names of sources or normalised identifiers moved.';
comment on column orcid.change_log.cause is 'What led to the read.';
comment on column orcid.change_log.title is 'What the item is called after the change, if it is gone before it; null where the content is not for this reader, or was forgotten.';
