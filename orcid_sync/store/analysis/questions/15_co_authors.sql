-- 15. Who writes with whom?
select c.orcid, a.name, c.co_author, b.name as co_author_name, c.publications, c.first_year, c.last_year
  from orcid.co_authors as c
  left join orcid.people as a on a.orcid = c.orcid
  left join orcid.people as b on b.orcid = c.co_author
 where c.orcid < c.co_author
 order by c.publications desc, c.orcid, c.co_author;
