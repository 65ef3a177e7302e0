-- The journal of reads: what of them people may ask about.

-- name: note!
-- What happens again and again is one row. The oldest go: the bound is what a person reads, and what an iD may cost.
-- Of whoever was erased nothing is kept, and nothing is written under a lease that was lost.
with mine as (
  select c.orcid
    from orcid_sync.connections as c
    join orcid_sync.queue as q using (orcid)
   where c.orcid = :orcid and q.lease_no = :lease_no and (c.state = 'connected' or c.erased_at is null)
), last as (
  select r.lease_no, r.outcome, r.error, r.changes
    from orcid_sync.reads as r
   where r.orcid = :orcid
   order by r.lease_no desc
   limit 1
), repeated as (
  update orcid_sync.reads as r
     set at = now(), times = r.times + 1, cause = :cause
    from last
   where r.orcid = (select orcid from mine) and r.lease_no = last.lease_no
     and last.outcome = :outcome and last.error is not distinct from :error
     and last.changes is null and :changes::jsonb is null
  returning 1
), outlived as (
  delete from orcid_sync.reads
   where orcid = (select orcid from mine)
     and lease_no <= (select r.lease_no from orcid_sync.reads as r
                       where r.orcid = :orcid order by r.lease_no desc offset :kept::bigint - 1 limit 1)
     and not exists (select from repeated)
)
insert into orcid_sync.reads (orcid, lease_no, cause, outcome, error, changes)
select mine.orcid, :lease_no, :cause, :outcome, :error, :changes::jsonb
  from mine
 where not exists (select from repeated)
on conflict (orcid, lease_no) do update
   set at = now(), times = orcid_sync.reads.times + 1, outcome = excluded.outcome, error = excluded.error,
       changes = excluded.changes;

-- name: of_orcid
select at, first_at, times, cause, outcome, error, changes
  from orcid_sync.reads
 where orcid = :orcid
 order by lease_no desc;

-- name: forget$
with forgotten as (
  delete from orcid_sync.reads where orcid = :orcid returning 1
)
select count(*) from forgotten;
