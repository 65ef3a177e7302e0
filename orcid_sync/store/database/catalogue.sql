-- What schema orcid offers to those who read it, as PostgreSQL's own catalogue says it.

-- name: sees_internals$
-- Whether the present role can look into schema orcid_sync: the service can, readers cannot.
select to_regnamespace('orcid_sync') is null or has_schema_privilege(to_regnamespace('orcid_sync'), 'usage');

-- name: relations
select c.relname as name,
       case c.relkind when 'v' then 'view' else 'table' end as kind,
       obj_description(c.oid, 'pg_class') as comment,
       coalesce((
         select array_agg(a.attname::text order by k.place)
           from pg_constraint as p
          cross join unnest(p.conkey) with ordinality as k (number, place)
           join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.number
          where p.conrelid = c.oid and p.contype = 'p'
       ), '{}') as key
  from pg_class as c
 where c.relnamespace = 'orcid'::regnamespace and c.relkind in ('r', 'p', 'v')
 order by c.relkind = 'v', c.relname;

-- name: columns
-- Domains are shown as what they are made of.
select c.relname as relation,
       a.attname as name,
       format_type(coalesce(nullif(t.typbasetype, 0), t.oid), a.atttypmod) as type,
       a.attnotnull and c.relkind <> 'v' as required,
       col_description(c.oid, a.attnum) as comment
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type as t on t.oid = a.atttypid
 where c.relnamespace = 'orcid'::regnamespace and c.relkind in ('r', 'p', 'v')
 order by c.relname, a.attnum;

-- name: functions
select p.proname as name,
       pg_get_function_identity_arguments(p.oid) as arguments,
       pg_get_function_result(p.oid) as result,
       obj_description(p.oid, 'pg_proc') as comment
  from pg_proc as p
 where p.pronamespace = 'orcid'::regnamespace and p.prokind = 'f'
 order by p.proname;

-- name: in_utc$
-- Until the end of the transaction.
select set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true);
