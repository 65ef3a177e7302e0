-- Works and grants across people: which of them are one, who has them, how many there are.

-- Of a group whose preferred version is not for the reader, the next best is shown.
create view orcid.work_groups with (security_invoker = true) as
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
comment on view orcid.work_groups is 'One row per work as ORCID groups its versions, shown by the holder''s preferred one of the versions that the reader may see.';
comment on column orcid.work_groups.orcid is 'The iD.';
comment on column orcid.work_groups.group_put_code is 'Smallest put-code in the group.';
comment on column orcid.work_groups.put_code is 'Put-code of that version.';
comment on column orcid.work_groups.type is 'Type of work.';
comment on column orcid.work_groups.title is 'Title.';
comment on column orcid.work_groups.journal_title is 'Journal.';
comment on column orcid.work_groups.publication_date is 'Earliest day that the publication date can mean.';
comment on column orcid.work_groups.publication_year is 'Year of publication.';
comment on column orcid.work_groups.versions is 'Number of versions in the group that the reader may see.';
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
create view orcid.publications with (security_invoker = true) as
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
comment on column orcid.publications.identifier_type is 'doi, pmid, arxiv, isbn, or put-code where the work has none.';
comment on column orcid.publications.identifier is 'Its best identifier, in the form of external_ids.identifier.';
comment on column orcid.publications.title is 'Title as the first of the claimants that gives one has it.';
comment on column orcid.publications.type is 'Type of work, likewise.';
comment on column orcid.publications.publication_date is 'Earliest publication date that a claimant gives.';
comment on column orcid.publications.claimants is 'The iDs that claim the work.';
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

create view orcid.publication_contributors with (security_invoker = true) as
  select distinct p.identifier_type, p.identifier, c.contributor_orcid, c.credit_name, c.role,
         r.orcid is not null as mirrored
    from orcid.publication_claims p
    join orcid.works w on w.orcid = p.orcid and w.group_put_code = p.group_put_code
    join orcid.contributors c on c.orcid = w.orcid and c.section = 'work' and c.put_code = w.put_code
    left join orcid.records r on r.orcid = c.contributor_orcid;
comment on view orcid.publication_contributors is 'Who wrote our publications, as their claimants list it: also those without a record here. Names are spelt as they are: without an iD the same person may have several rows.';
comment on column orcid.publication_contributors.identifier_type is 'The publication, as in publications.';
comment on column orcid.publication_contributors.identifier is 'The publication, as in publications.';
comment on column orcid.publication_contributors.contributor_orcid is 'iD of the contributor, if given; not proof that the person agreed.';
comment on column orcid.publication_contributors.credit_name is 'Name of the contributor.';
comment on column orcid.publication_contributors.role is 'Role: author, editor, … or a CRediT address.';
comment on column orcid.publication_contributors.mirrored is 'Whether the contributor''s own record is mirrored here.';

create function orcid.amount(said text) returns numeric
  language sql immutable parallel safe
  return case
    when said ~ '^\s*[0-9]{1,3}([.,'' ][0-9]{3})+([.,][0-9]{1,2})?\s*$'
      then (regexp_replace(regexp_replace(btrim(said), '[.,][0-9]{1,2}$', ''), '[^0-9]', '', 'g')
            || coalesce('.' || substring(btrim(said) from '[.,]([0-9]{1,2})$'), ''))::numeric
    when said ~ '^\s*[0-9]{1,18}([.,][0-9]{1,2})?\s*$' then replace(btrim(said), ',', '.')::numeric
  end;
comment on function orcid.amount is 'The number in an amount of money that was typed: 1,234.56 as 1.234,56 as 1 234,56; three digits behind a comma or full stop are thousands. Null if it is no plain number.';

create view orcid.grants with (security_invoker = true) as
  select i.ror as funder_ror, min(i.organisation) as funder, x.identifier as grant_number,
         (array_agg(f.title order by f.title is null, f.orcid, f.put_code))[1] as title,
         min(f.start_date) as start_date, max(orcid.latest_date(f.end_year, f.end_month, f.end_day)) as end_date,
         count(distinct f.orcid) as people, array_agg(distinct f.orcid::text) as holders,
         max(orcid.amount(f.amount_value)) as amount, max(f.amount_currency) as currency
    from orcid.fundings f
    join orcid.external_ids x on x.orcid = f.orcid and x.section = 'funding' and x.put_code = f.put_code
    left join orcid.item_organisations i on i.orcid = f.orcid and i.section = 'funding' and i.put_code = f.put_code
   where x.type = 'grant_number' and x.relationship = 'self' and x.identifier is not null
   group by i.ror, case when i.ror is null then lower(i.org_name) end, x.identifier;
comment on view orcid.grants is 'One row per grant across people: by funder (ROR id, else name) and grant number. Fundings without a number are in fundings alone.';
comment on column orcid.grants.funder_ror is 'ROR id of the funder; null if it is not known.';
comment on column orcid.grants.funder is 'Name of the funder.';
comment on column orcid.grants.grant_number is 'Number of the grant.';
comment on column orcid.grants.title is 'Title, as the first of the holders that gives one has it.';
comment on column orcid.grants.start_date is 'Earliest day that the start can mean, the earliest that a holder gives.';
comment on column orcid.grants.end_date is 'Latest day that the end can mean, the latest that a holder gives.';
comment on column orcid.grants.people is 'Number of holders.';
comment on column orcid.grants.holders is 'The iDs that name the grant on their records.';
comment on column orcid.grants.amount is 'The largest amount that is given for it, as far as it is a plain number (full form only).';
comment on column orcid.grants.currency is 'Currency of the amount, ISO 4217.';

-- Now that all tables and views are there.
select orcid_sync.grant_readers();
