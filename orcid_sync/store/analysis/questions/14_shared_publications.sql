-- 14. Which publications do two or more of us claim?
select identifier_type, identifier, title, publication_year, people
  from orcid.publications
 where people > 1
 order by people desc, identifier;
