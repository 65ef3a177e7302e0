-- name: announce_due!
-- Outside the transactions that mark iDs due: inside, the lock that NOTIFY takes at commit would slow every one of them.
select pg_notify('orcid_sync_due', '');
