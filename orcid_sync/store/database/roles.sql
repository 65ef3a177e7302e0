-- Reading as one of the roles of readers.

-- name: become$
-- Until the end of the transaction.
select set_config('role', :role, true);

-- name: lent_roles
-- Which of the roles exist, and which the present one may become.
select r.rolname as role,
       pg_has_role(r.oid, case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end)
         as lent
  from pg_roles as r
 where r.rolname = any(:roles::text[]);
