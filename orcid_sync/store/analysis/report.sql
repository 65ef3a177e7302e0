-- The figures of a report: of whoever is followed (asked as the owner), and of the mirror (asked as a role of readers).

-- name: adoption
-- At the end of each month, or of the period. Rows that were never a connection end in the instant in which they began.
with bounds as (
  select :since::timestamptz at time zone 'UTC' as since, :until::timestamptz at time zone 'UTC' as until
), months as (
  select g::date as month, greatest(g, b.since) at time zone 'UTC' as begins,
         least(g + interval '1 month', b.until) at time zone 'UTC' as ends
    from bounds as b
   cross join generate_series(date_trunc('month', b.since), b.until - interval '1 microsecond', interval '1 month') as g
)
select m.month,
       count(c.orcid) filter (where c.connected_at < m.ends and coalesce(c.disconnected_at >= m.ends, true)) as connected,
       count(c.orcid) filter (where c.connected_at >= m.begins and c.connected_at < m.ends) as joined,
       count(c.orcid) filter (where c.disconnected_at >= m.begins and c.disconnected_at < m.ends) as ended
  from months as m
  left join orcid_sync.connections as c on c.connected_at is distinct from c.disconnected_at
 group by m.month
 order by m.month;

-- name: permission^
select count(*) as connected, count(*) filter (where access_state = 'granted') as with_permission
  from orcid_sync.connections where state = 'connected';

-- name: invitations^
select count(*) as invited, count(opened_at) as opened, count(granted_at) as granted, count(denied_at) as denied
  from orcid_sync.invitations
 where invited_at >= :since and invited_at < :until;

-- name: records^
select count(*) as records, count(*) filter (where state = 'active') as active from orcid.records;

-- name: employed$
-- Records whose holders say that they are employed by one of these organisations now.
select count(distinct orcid) from orcid.current_affiliations where section = 'employment' and ror = any(:rors::text[]);

-- name: coverage
select section, records_with, records_by_organisation, records from orcid.coverage order by section;

-- name: works
select publication_year as year, sum(publications)::bigint as publications, sum(with_doi)::bigint as with_doi,
       sum(by_organisation)::bigint as by_organisation, sum(shared)::bigint as shared
  from orcid.works_by_year
 group by publication_year
 order by publication_year;

-- name: changes
-- What holders and others changed at ORCID; not what merely began to be followed, nor dates and names of sources.
select date_trunc('month', f.at at time zone 'UTC')::date as month, f.section,
       count(*) filter (where f.op = 'added') as added,
       count(*) filter (where f.op = 'updated') as updated,
       count(*) filter (where f.op in ('removed', 'withdrawn')) as removed
  from orcid.change_feed as f
 where f.at >= :since and f.at < :until and not f.minor and f.section <> 'record'
   and f.cause not in ('first-load', 'bootstrap')
 group by 1, 2
 order by 1, 2;

-- name: people_with_changes$
select count(distinct f.orcid)
  from orcid.change_feed as f
 where f.at >= :since and f.at < :until and not f.minor and f.section <> 'record'
   and f.cause not in ('first-load', 'bootstrap');

-- name: funders
select coalesce(f.org_name, f.org_disambiguated_id) as name, count(distinct f.orcid) as people, count(*) as fundings
  from orcid.fundings as f
 where f.preferred and coalesce(f.org_name, f.org_disambiguated_id) is not null
 group by 1
 order by people desc, fundings desc, name
 limit 10;

-- name: freshness^
select count(*) as followed, count(*) filter (where age < interval '1 day') as within_a_day,
       count(*) filter (where age < interval '7 days') as within_a_week
  from orcid.freshness where state = 'connected';
