-- 23. Who funds us?
-- By ROR id where it is known (orcid-sync organisations load), else by name.
select i.ror, i.organisation as funder, count(*) as fundings, count(distinct i.orcid) as people
  from orcid.item_organisations as i
  join orcid.fundings as f using (orcid, put_code)
 where i.section = 'funding' and f.preferred
 group by i.ror, i.organisation
 order by fundings desc, funder;
