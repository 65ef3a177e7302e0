-- 10. Which organisations' systems write into the records, and what?
select source_name, section, count(*) as items, count(distinct orcid) as people
  from orcid.items
 where asserted_by = 'organisation'
 group by source_name, section
 order by items desc, source_name, section;
