-- 28. Which organisations are not known by a ROR id?
-- With a mapping for their identifiers (orcid-sync organisations load --ids) they can be; without one, only by asking.
select org_name, scheme, id, count(*) as items, count(distinct orcid) as people
  from orcid.item_organisations
 where ror is null
 group by org_name, scheme, id
 order by items desc, org_name;
