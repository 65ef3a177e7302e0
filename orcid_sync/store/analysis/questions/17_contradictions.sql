-- 17. Where do the claims of one publication contradict each other?
select identifier_type, identifier, conflicts, titles, years, types, claimants
  from orcid.publications
 where conflicts <> '{}'
 order by cardinality(conflicts) desc, identifier;
