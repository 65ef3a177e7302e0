-- 16. Who writes with the most colleagues?
select c.orcid, p.name, count(*) as colleagues, max(c.publications) as most_with_one
  from orcid.co_authors as c
  left join orcid.people as p using (orcid)
 group by c.orcid, p.name
 order by colleagues desc, c.orcid;
