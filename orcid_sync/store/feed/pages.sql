-- The change feed for those who follow it over HTTP, page by page.

-- name: head^
select epoch::text as epoch, last as seq from orcid_sync.feed_head;

-- name: head_for_reader^
-- Where the feed ends, and from now on, until the end of the transaction, another role: one round trip instead of two.
select epoch::text as epoch, last as seq, set_config('role', :role, true) from orcid_sync.feed_head;

-- name: page
-- As the reader sees it, who is another role by now. What a copy must obey passes whatever is wanted: lines about the
-- record itself, and of the sections that are wanted what goes.
select seq, orcid, section, key, op, reason, fields, minor, visibility, cause, at, source_modified_at, old, new
  from orcid.change_feed
 where seq > :after and seq <= :until
   and (:minor or not minor)
   and (section = 'record'
        or (:sections::text[] is null or section = any(:sections::text[]))
           and (:ops::text[] is null or op in ('removed', 'withdrawn') or op = any(:ops::text[])))
 order by seq
 limit :limit::bigint;

-- name: page_of_record
select seq, orcid, section, key, op, reason, fields, minor, visibility, cause, at, source_modified_at, old, new
  from orcid.change_feed
 where orcid = :orcid and seq > :after and seq <= :until
   and (:minor or not minor)
   and (section = 'record'
        or (:sections::text[] is null or section = any(:sections::text[]))
           and (:ops::text[] is null or op in ('removed', 'withdrawn') or op = any(:ops::text[])))
 order by seq
 limit :limit::bigint;
