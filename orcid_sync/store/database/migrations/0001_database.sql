-- The two schemas, what they have in common, and who may see and do what in them.

-- What consumers read, the product's public interface. Names follow ORCID's (contract section 10).
create schema orcid;
comment on schema orcid is 'The mirror of ORCID records and its change feed.';

-- What the service itself needs to know. Every key contains orcid where there is one, and no transaction of a
-- reconciliation touches two iDs.
create schema orcid_sync;
comment on schema orcid_sync is 'Internal state of the synchronisation (queue, connections, tokens, webhooks). May change in any release; consumers read schema orcid.';

create domain orcid_sync.orcid_id as text check (value ~ '^[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]$');
comment on domain orcid_sync.orcid_id is 'An ORCID iD in path form (contract section 8). The check digit is tested by the application.';

-- Which ORCID Registry this database is a mirror of: an iD of the sandbox is somebody else's, or nobody's, in production.
create table orcid_sync.environment (
  only_row boolean primary key default true check (only_row),
  name     text not null
);
comment on table orcid_sync.environment is 'The ORCID environment of everything in this database: one row, written when the service starts for the first time.';
comment on column orcid_sync.environment.only_row is 'Always true: there is only one row.';
comment on column orcid_sync.environment.name is 'production, sandbox or custom; the service starts with no other.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Who sees what (faults F49, F60, F61, F68; invariant S13): the database decides it, not those who ask.

-- Who asks. Two roles are asked for by name, because roles belong to the whole server and may be missing: then nobody
-- but the owner and superusers sees more than what is public. Policies call it inside a subselect: once for each query.
create function orcid.sees_limited() returns boolean
  language sql stable parallel safe
begin atomic
  select exists (select from pg_roles r where r.rolname = 'orcid_reader_limited' and pg_has_role(current_user, r.oid, 'usage'))
      or exists (select from pg_namespace n where n.nspname = 'orcid' and pg_has_role(current_user, n.nspowner, 'usage'));
end;
comment on function orcid.sees_limited is 'Whether the present role may see limited items: members of orcid_reader_limited, the owner of this schema, superusers.';

-- Row security. The policies are for everybody, whatever was granted to whom, and there is none for writing.
--
-- public is public. limited is for those who may see it, and only while our own access is not in doubt. Everything else
-- is for the service alone: private items (our own entries, contract section 3.4), values that we do not know, and no
-- value at all (fault F49). What is withheld is few rows in a partial index, read once for each query into a hash table.
--
-- The owner is not subject to them (no FORCE): PostgreSQL refuses COPY into tables whose policies apply to the one who
-- copies, and COPY is how the service writes. What FORCE is for, plain views that show everything to everybody, cannot
-- happen by mistake: grant_readers() passes over them, and a test does not let them in. Hence every view here has
-- security_invoker: it must not show more than its reader may see in the tables under it. A service that does not run as
-- the owner needs BYPASSRLS (grant_service(), deploy/roles.sql); without it nothing is wrongly written or shown, but
-- every COPY fails, and /readyz says why.
create function orcid_sync.protect_items(item_table regclass) returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
begin
  execute format('alter table %s enable row level security', item_table);
  execute format($policy$
    create policy visible on %s for select to public using (
      visibility = 'public'
        and orcid not in (select r.orcid from orcid.records r where r.withheld = 'all')
      or visibility = 'limited' and (select orcid.sees_limited())
        and orcid not in (select r.orcid from orcid.records r where r.withheld is not null))
    $policy$, item_table);
end
$body$;
revoke all on function orcid_sync.protect_items from public;
comment on function orcid_sync.protect_items is 'Puts a table of items, or of parts of items, behind row security: it needs the columns orcid and visibility. For migrations.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Roles

-- The roles of readers: groups without a login, the same for all databases of the server. They may use schema orcid, as
-- far as it is protected, and nothing of orcid_sync: the few columns are those that feed, change_feed, freshness and
-- people show, and only through them can they be reached, since the schema is closed.
create function orcid_sync.grant_readers() returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
declare
  reader name;
  relation regclass;
begin
  for reader in select rolname from pg_roles where rolname in ('orcid_reader', 'orcid_reader_limited')
  loop
    execute format('grant usage on schema orcid to %I', reader);
    for relation in
      select c.oid::regclass from pg_class c
       where c.relnamespace = 'orcid'::regnamespace
         and (c.relkind in ('r', 'p') and c.relrowsecurity or c.relkind = 'v' and c.reloptions @> '{security_invoker=true}')
    loop
      execute format('grant select on %s to %I', relation, reader);
    end loop;
    execute format('grant execute on all functions in schema orcid to %I', reader);
    execute format('grant select (epoch, last, at) on orcid_sync.feed_head to %I', reader);
    execute format('grant select (orcid, state) on orcid_sync.connections to %I', reader);
    execute format('grant select (orcid, verified_at, due_at, attempts, last_error) on orcid_sync.queue to %I', reader);
    execute format('grant select (orcid, kind, section) on orcid_sync.doubts to %I', reader);
  end loop;
end
$body$;
revoke all on function orcid_sync.grant_readers from public;
comment on function orcid_sync.grant_readers is 'Lets the roles orcid_reader and orcid_reader_limited, if they exist, read what of schema orcid is behind row security. To be called after each migration that adds a table or view, and by deploy/roles.sql.';

-- The service reads for others as one of the roles of readers (set role, until the end of a transaction): PostgreSQL
-- decides what they see, not the service. Superusers may become anybody; everybody else must be a member of both.
create function orcid_sync.lend_readers(service name) returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
declare
  -- Since PostgreSQL 16 who has made a role is its member without the right to become it.
  needed constant text := case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end;
  reader name;
begin
  for reader in
    select rolname from pg_roles
     where rolname in ('orcid_reader', 'orcid_reader_limited') and not pg_has_role(service, oid, needed)
  loop
    begin
      execute format('grant %I to %I', reader, service);
    exception
      when insufficient_privilege then null; -- the listener and `orcid-sync check` say what to do
    end;
  end loop;
end
$body$;
revoke all on function orcid_sync.lend_readers from public;
comment on function orcid_sync.lend_readers is 'Lets the role that runs the service read as orcid_reader and orcid_reader_limited, as far as they exist and the caller may grant them.';

create function orcid_sync.grant_service(service name) returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
declare
  owner name := (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'orcid');
begin
  execute format('grant usage on schema orcid, orcid_sync to %I', service);
  execute format('grant select, insert, update, delete on all tables in schema orcid, orcid_sync to %I', service);
  execute format('alter default privileges for role %I in schema orcid, orcid_sync'
                 ' grant select, insert, update, delete on tables to %I', owner, service);
  perform orcid_sync.lend_readers(service);
end
$body$;
revoke all on function orcid_sync.grant_service from public;
comment on function orcid_sync.grant_service is 'Lets a role that is not the owner run the service, in this version and in later ones, without the right to change the schema. The role needs BYPASSRLS, too: it writes by COPY, which PostgreSQL refuses where policies apply.';

-- Where the owner may not create roles, a superuser does, with deploy/roles.sql. What is granted to readers stands at the
-- end of the last file.
do $body$
declare
  reader name;
begin
  if (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) then
    foreach reader in array array['orcid_reader', 'orcid_reader_limited']
    loop
      if not exists (select from pg_roles where rolname = reader) then
        begin
          execute format('create role %I nologin', reader);
        exception
          when duplicate_object or unique_violation then null; -- another database's migration was faster
        end;
      end if;
    end loop;
  end if;
end
$body$;
select orcid_sync.lend_readers(current_user);
