-- name: server_writable$
-- A replica, or a former primary after a fail-over, answers every question but takes no mark (fault F76).
select not pg_is_in_recovery() and not current_setting('transaction_read_only')::boolean;

-- name: rows_hidden$
-- Policies are for readers. A service that they apply to would not see all that it must keep, and could not use COPY.
select row_security_active('orcid.records');
