-- 3. How many let us read more than what is public?
select access, count(*) as people, round(100.0 * count(*) / sum(count(*)) over (), 1) as percent
  from orcid.people
 where state = 'active'
 group by access
 order by people desc, access;
