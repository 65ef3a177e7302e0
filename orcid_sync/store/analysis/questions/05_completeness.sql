-- 5. How complete is each person's record, and what is missing?
-- Of six things that a reader of a profile looks for.
select p.orcid, p.name, 6 - cardinality(m.missing) as present, m.missing
  from orcid.people as p
 cross join lateral (
   select array_remove(array[
            case when p.name is null then 'name' end,
            case when p.employer is null then 'present employment' end,
            case when not exists (select from orcid.educations as e where e.orcid = p.orcid) then 'education' end,
            case when p.works = 0 then 'works' end,
            case when not exists (select from orcid.keywords as k where k.orcid = p.orcid) then 'keywords' end,
            case when not exists (select from orcid.biographies as b where b.orcid = p.orcid) then 'biography' end
          ], null) as missing
 ) as m
 where p.state = 'active'
 order by present, p.orcid;
