-- Permissions that ended, of people who were not erased.

-- name: read
select number, orcid::text as orcid, event, by, at, hash
  from orcid_sync.consents
 where event = any(:events::text[]) and orcid is not null
 order by number;

-- name: lock$
select true from orcid_sync.queue where orcid = :orcid for update;

-- name: is_back$
-- Whether what ended at that moment goes on here, and was not begun anew since: a connection, or the use of a token.
select c.state = 'connected'
       and case when :event = 'disconnected' then c.connected_at <= :at::timestamptz
                else coalesce(t.granted_at <= :at::timestamptz, false) end
  from orcid_sync.connections as c
  left join orcid_sync.tokens as t using (orcid)
 where c.orcid = :orcid;
