-- 24. Which fundings are running?
select f.orcid, p.name, f.title, f.org_name as funder, f.start_date, f.end_date, f.amount_value, f.amount_currency
  from orcid.fundings as f
  join orcid.people as p using (orcid)
 where f.preferred and f.start_date <= current_date
   and (f.end_year is null or orcid.latest_date(f.end_year, f.end_month, f.end_day) >= current_date)
 order by f.end_date nulls last, f.orcid, f.put_code;
