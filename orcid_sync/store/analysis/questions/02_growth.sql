-- 2. How did adoption grow, month by month?
-- A person counts from the month in which the mirror first held the record.
select date_trunc('month', first_seen_at at time zone 'UTC')::date as month,
       count(*) as new_people,
       sum(count(*)) over (order by date_trunc('month', first_seen_at at time zone 'UTC'))::bigint as people
  from orcid.people
 group by date_trunc('month', first_seen_at at time zone 'UTC')
 order by month;
