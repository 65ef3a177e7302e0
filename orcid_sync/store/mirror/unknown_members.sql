-- Members of ORCID's JSON that no column is made of.

-- name: note!
-- Sorted, so that processes that write the same rows wait for each other instead of locking each other out. A value that
-- is null says nothing about what it is otherwise. There is an end to what is listed: a thousand new names are no model.
insert into orcid_sync.unknown_members as m (section, path, kind, times)
select given.section, given.path, given.kind, given.times
  from unnest(:sections::text[], :paths::text[], :kinds::text[], :times::bigint[]) as given (section, path, kind, times)
 where (select count(*) from orcid_sync.unknown_members) < :most::bigint
    or exists (select from orcid_sync.unknown_members as k where k.section = given.section and k.path = given.path)
 order by given.section, given.path
on conflict (section, path) do update
   set times = m.times + excluded.times,
       last_seen_at = now(),
       kind = case when excluded.kind = 'null' then m.kind else excluded.kind end;

-- name: list_members
select section, path, kind, first_seen_at, last_seen_at, times, acknowledged_at
  from orcid_sync.unknown_members
 where :all::boolean or acknowledged_at is null
 order by section, path;

-- name: acknowledge
update orcid_sync.unknown_members
   set acknowledged_at = now()
 where acknowledged_at is null
   and (:paths::text[] is null or section || '.' || path = any(:paths::text[]))
returning section || '.' || path as name;
