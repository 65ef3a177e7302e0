-- 6. Which records are as good as empty: no work, no affiliation?
select p.orcid, p.name, p.registered_at::date as registered
  from orcid.people as p
 where p.state = 'active' and p.works = 0
   and not exists (select from orcid.affiliations as a where a.orcid = p.orcid)
 order by p.orcid;
