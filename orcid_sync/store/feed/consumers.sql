-- Programs that follow the change feed over HTTP and keep their position here.

-- name: keep$
-- Nothing is stored if the name belongs to somebody else.
insert into orcid_sync.consumers as c (name, owner, epoch, seq, view)
values (:name, :owner, :epoch::text::uuid, :seq, :view)
on conflict (name) do update
   set epoch = excluded.epoch, seq = excluded.seq, view = excluded.view, updated_at = now()
 where c.owner = excluded.owner or :any_owner
returning true;

-- name: drop$
delete from orcid_sync.consumers where name = :name and (owner = :owner or :any_owner) returning true;

-- name: standing
-- How far each one is behind: positions that it has not dealt with, and how old the first of them is.
select c.name, c.owner, c.epoch::text as epoch, c.seq, c.view, c.created_at, c.updated_at,
       c.epoch <> h.epoch or c.seq > h.last as must_resync,
       greatest(h.last - c.seq, 0) as behind,
       coalesce(extract(epoch from now() - (select n.at from orcid.changes as n where n.seq = c.seq + 1)), 0)::float8
         as behind_seconds
  from orcid_sync.consumers as c
 cross join orcid_sync.feed_head as h
 where :name::text is null or c.name = :name::text
 order by c.name;
