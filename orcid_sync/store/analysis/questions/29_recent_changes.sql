-- 29. What changed in the last thirty days?
-- First loads are no news, and neither is what only moved dates or order.
select section, op, sum(changes - minor)::bigint as changes, count(distinct day) as days
  from orcid.changes_per_day
 where day > current_date - 30 and cause not in ('first-load', 'bootstrap')
 group by section, op
having sum(changes - minor) > 0
 order by changes desc, section, op;
