-- 18. Which works have no open identifier (DOI, PMID, arXiv, ISBN)?
select orcid, put_code, type, title, publication_year
  from orcid.publication_claims
 where identifier_type = 'put-code'
 order by orcid, put_code;
