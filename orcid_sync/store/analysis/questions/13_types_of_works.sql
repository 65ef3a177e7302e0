-- 13. What kinds of works did we publish in the last five years?
select type, sum(publications)::bigint as publications, sum(shared)::bigint as shared
  from orcid.works_by_year
 where publication_year > extract(year from current_date) - 5
 group by type
 order by publications desc, type;
