-- 26. Who reviews how much, year by year?
select r.orcid, p.name, r.completion_year, count(*) as reviews
  from orcid.peer_reviews as r
  join orcid.people as p using (orcid)
 group by r.orcid, p.name, r.completion_year
 order by r.completion_year desc nulls last, reviews desc, r.orcid;
