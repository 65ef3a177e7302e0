-- 21. In which journals do we publish most?
select mode() within group (order by journal_title) as journal, count(*) as publications, max(publication_year) as latest
  from orcid.publications
 where journal_title is not null
 group by lower(btrim(journal_title))
 order by publications desc, journal;
