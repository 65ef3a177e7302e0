-- 30. How fresh is the mirror?
select count(*) as connected, count(verified_at) as read,
       count(*) filter (where age < interval '1 day') as within_a_day,
       count(*) filter (where age < interval '7 days') as within_a_week,
       count(*) filter (where attempts > 0) as failing
  from orcid.freshness
 where state = 'connected';
