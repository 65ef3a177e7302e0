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
