-- 7. Who employs our people now?
-- By ROR id; organisations of which none is known are told apart by their names.
select ror, organisation, count(distinct orcid) as people
  from orcid.current_affiliations
 where section = 'employment'
 group by ror, organisation
 order by people desc, organisation;
