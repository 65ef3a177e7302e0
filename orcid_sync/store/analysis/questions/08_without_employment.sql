-- 8. Who states no present employment?
-- With the last one that they state, if there is any.
select p.orcid, p.name, l.org_name as last_employer, l.end_year
  from orcid.people as p
  left join lateral (
    select e.org_name, e.end_year from orcid.employments as e
     where e.orcid = p.orcid
     order by e.end_date desc nulls last, e.put_code desc limit 1
  ) as l on true
 where p.state = 'active' and p.employer is null
 order by p.orcid;
