-- 20. Which identifiers are not what they are said to be?
-- The holder, or the source, can mend them.
select x.orcid, x.section, x.put_code, x.type, x.value
  from orcid.external_ids as x
 where x.identifier is null and x.value <> ''
 order by x.orcid, x.section, x.put_code, x.position;
