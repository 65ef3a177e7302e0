-- Removals that wait for a second, independent read, and what an operator decides about them.

-- name: list_holds
select orcid, held_at, due_at, held_released as released, held_removals as removals
  from orcid_sync.queue
 where held_digest is not null
 order by held_at, orcid;

-- name: release
update orcid_sync.queue
   set held_released = true
 where orcid in (
         select q.orcid from orcid_sync.queue as q
          where q.orcid = any(:orcids::text[]) and q.held_digest is not null
          order by q.orcid
            for no key update
       )
returning orcid;

-- name: discard
update orcid_sync.queue
   set held_digest = null, held_at = null, held_removals = null, held_released = false
 where orcid in (
         select q.orcid from orcid_sync.queue as q
          where q.orcid = any(:orcids::text[]) and q.held_digest is not null
          order by q.orcid
            for no key update
       )
returning orcid;

-- name: of_orcid^
select orcid, held_at, due_at, held_released as released, held_removals as removals
  from orcid_sync.queue
 where orcid = :orcid and held_digest is not null;
