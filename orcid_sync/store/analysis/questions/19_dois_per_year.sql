-- 19. What share of the publications has a DOI, year by year?
select publication_year, sum(publications)::bigint as publications, sum(with_doi)::bigint as with_doi,
       round(100.0 * sum(with_doi) / sum(publications), 1) as percent
  from orcid.works_by_year
 where publication_year is not null
 group by publication_year
 order by publication_year desc;
