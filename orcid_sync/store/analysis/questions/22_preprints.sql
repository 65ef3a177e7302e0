-- 22. Which preprints have not been published otherwise, as far as their authors say?
select identifier_type, identifier, title, publication_year, claimants
  from orcid.publications
 where types = array['preprint']
 order by publication_year desc nulls last, identifier;
