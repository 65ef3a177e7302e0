-- name: take_positions^
-- The next positions of the feed. Locks the head until commit, which is what puts changes in the order of commits.
update orcid_sync.feed_head set last = last + :count
returning last - :count as before, clock_timestamp() as at;

-- name: announce$
select pg_notify(:channel, last::text) from orcid_sync.feed_head;
