-- name: take_positions^
-- The next positions of the feed. Locks the head until commit, which is what puts changes in the order of commits.
update orcid_sync.feed_head set last = last + :count, at = clock_timestamp()
returning last - :count as before, at;

-- name: announce$
select pg_notify(:channel, last::text) from orcid_sync.feed_head;

-- name: removed_at
-- What the holder took away or hid at that moment of the record's date.
select distinct section, key
  from orcid.changes
 where orcid = :orcid and source_modified_at = :at and op in ('removed', 'withdrawn') and reason in ('removed', 'visibility');
