-- name: showing_limited
-- Records of which readers may be shown something that is not public.
select r.orcid
  from orcid.records as r
 where r.orcid = any(:orcids::text[]) and r.withheld is null
   and exists (select from orcid.items as i where i.orcid = r.orcid and i.visibility is distinct from 'public')
 order by r.orcid;
