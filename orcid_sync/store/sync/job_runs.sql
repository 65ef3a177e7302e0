-- Runs of the scheduled jobs. About jobs, not iDs: the one place without an orcid in its keys, with pace and client_tokens.

-- name: begin$
insert into orcid_sync.runs (job) values (:job) returning id;

-- name: finish!
update orcid_sync.runs
   set finished_at = clock_timestamp(), outcome = :outcome::jsonb, error = :error
 where id = :id and finished_at is null;

-- name: last^
select id, job, started_at, finished_at, outcome, error
  from orcid_sync.runs
 where job = :job
 order by started_at desc
 limit 1;

-- name: last_of_each
-- Stepping from job to job: there are few jobs and many runs.
with recursive jobs (job) as (
  select min(job) from orcid_sync.runs
  union all
  select (select min(r.job) from orcid_sync.runs as r where r.job > jobs.job) from jobs where jobs.job is not null
)
select run.*
  from jobs
 cross join lateral (
   select r.id, r.job, r.started_at, r.finished_at, r.outcome, r.error
     from orcid_sync.runs as r
    where r.job = jobs.job
    order by r.started_at desc
    limit 1
 ) as run
 order by run.job;

-- name: of_job
select id, job, started_at, finished_at, outcome, error
  from orcid_sync.runs
 where job = :job and (:before::bigint is null or id < :before::bigint)
 order by started_at desc
 limit :limit::bigint;
