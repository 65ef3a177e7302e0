-- name: server_writable$
-- A replica, or a former primary after a fail-over, answers every question but takes no mark (fault F76).
select not pg_is_in_recovery() and not current_setting('transaction_read_only')::boolean;
