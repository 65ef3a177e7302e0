-- What planning can learn from the mirror itself.

-- name: population^
-- Changes count once for each record and hour: what one editing session did is noticed, announced and read together.
with connected as (
  select c.orcid, c.access_state in ('granted', 'suspect') as limited
    from orcid_sync.connections as c
   where c.state = 'connected'
), observed as (
  select greatest(extract(epoch from now() - greatest(min(x.at), now() - interval '30 days')) / 86400, 1) as days
    from orcid.changes as x
), edited as (
  select count(distinct (x.orcid, date_trunc('hour', x.at))) as sessions
    from orcid.changes as x
   where x.at > now() - interval '30 days' and x.cause not in ('first-load', 'bootstrap') and not x.minor
), parts as (
  select count(*) as records,
         coalesce(sum((select ceil(count(*) / 100.0) from orcid.works as w where w.orcid = r.orcid)
                    + (select count(*) from orcid.fundings as f where f.orcid = r.orcid)
                    + (select count(*) from orcid.peer_reviews as p where p.orcid = r.orcid)
                    + (select count(*) from orcid.research_resources as s where s.orcid = r.orcid)), 0) as details
    from (select r.orcid from orcid.records as r limit 10000) as r
)
select (select count(*) from connected) as connected,
       coalesce((select avg(limited::integer) from connected), 0)::double precision as limited_share,
       observed.days::double precision as days,
       edited.sessions,
       parts.records,
       (parts.details / nullif(parts.records, 0))::double precision as details
  from observed, edited, parts;
