-- 12. How many works do we publish per year?
-- Each counted once, however many versions and co-authors it has.
select publication_year, sum(publications)::bigint as publications, sum(claims)::bigint as claims
  from orcid.works_by_year
 where publication_year is not null
 group by publication_year
 order by publication_year desc;
