-- 11. Whose present employment does nobody but the holder vouch for?
-- Those to whom the HR system should write an employment.
select c.orcid, c.name, c.organisation, c.role_title, c.start_year
  from orcid.current_affiliations as c
 where c.section = 'employment' and c.asserted_by = 'holder'
   and not exists (
     select from orcid.current_affiliations as o
      where o.orcid = c.orcid and o.section = 'employment' and o.asserted_by = 'organisation'
        and (o.ror = c.ror or o.organisation = c.organisation))
 order by c.orcid, c.put_code;
