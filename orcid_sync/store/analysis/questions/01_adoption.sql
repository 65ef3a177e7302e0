-- 1. How many people do we follow, and how are their records?
-- People who are connected and not read yet have no record; records from a file need not be followed.
select coalesce(f.state, 'not followed') as connection, coalesce(r.state, 'not read yet') as record, count(*) as people
  from orcid.freshness as f
  full join orcid.records as r using (orcid)
 group by 1, 2
 order by people desc, 1, 2;
