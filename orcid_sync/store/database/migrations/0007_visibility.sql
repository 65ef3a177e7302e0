-- Who may see what is decided by the database, not by those who ask it (faults F49, F60, F61, F68; invariant S13).
-- statement_timeout: 30min
--
-- First the history: one row per side of a change, with the visibility of what it says, so that row security can tell
-- them apart, and so that content can take another visibility, or be forgotten, without touching the lines themselves.

alter table orcid.changes add column visibility_before text;
comment on table orcid.changes is 'Every change of the mirror, in the order of commits, as it was for the service. Read it through the view change_feed, which says what it was for the reader.';
comment on column orcid.changes.visibility_before is 'Visibility of the item before the change; null of an addition, unless an e-mail is added again.';
comment on column orcid.changes.op is 'added, updated, removed, or withdrawn (it still exists, but not for our access, or for fewer readers).';
comment on column orcid.changes.reason is 'Why an item went: removed (deleted or hidden by the holder, which cannot be told apart), access-lost, record-deactivated, record-deprecated, record-locked, erased, visibility (restricted to fewer readers). Null otherwise.';
comment on column orcid.changes.key is 'The item: its put-code, the e-mail address, or empty where a record has only one. An e-mail that goes for good, or is restricted to fewer readers, must not be named any more: then the key is empty and means all e-mails of the iD; those that remain are added again right after.';

create table orcid.change_sides (
  orcid      orcid_sync.orcid_id not null,
  seq        bigint not null,
  side       text not null check (side in ('old', 'new')),
  visibility text,
  content    jsonb not null,
  primary key (orcid, seq, side)
);
insert into orcid.change_sides (orcid, seq, side, visibility, content)
select t.orcid, t.seq, s.side, case when c.section = 'record' then 'public' else s.content->'doc'->>'visibility' end, s.content
  from orcid.change_contents t
  join orcid.changes c on c.orcid = t.orcid and c.seq = t.seq
 cross join lateral (values ('old', t.old), ('new', t.new)) s (side, content)
 where s.content is not null;
update orcid.changes c
   set visibility_before = coalesce(
         (select s.visibility from orcid.change_sides s where s.orcid = c.orcid and s.seq = c.seq and s.side = 'old'), c.visibility)
 where c.op <> 'added';

-- What was said moves behind the visibility that the item has now, where it has less of it (fault F61), and so do the
-- lines about e-mails, whose keys are addresses. Nobody has read this feed as anything but the owner until now.
create temporary table restricted on commit drop as
  select p.orcid, p.section, p.key, p.visibility, case p.visibility when 'limited' then '{public}' else '{public,limited}' end::text[] as wider
    from (
      select distinct on (c.orcid, c.section, c.key) c.orcid, c.section, c.key, c.visibility
        from orcid.changes c
       order by c.orcid, c.section, c.key, c.seq desc
    ) p
   where p.visibility is distinct from 'public';
update orcid.change_sides s
   set visibility = r.visibility
  from restricted r
  join orcid.changes c on c.orcid = r.orcid and c.section = r.section and c.key = r.key
 where s.orcid = c.orcid and s.seq = c.seq and s.visibility = any (r.wider);
update orcid.changes c
   set visibility = r.visibility, visibility_before = case when c.op <> 'added' then r.visibility end
  from restricted r
 where c.section = 'email' and r.section = c.section and r.orcid = c.orcid and r.key = c.key
   and (c.visibility = any (r.wider) or c.visibility_before = any (r.wider));

drop function orcid.record_as_of;
drop view orcid.change_feed;
drop table orcid.change_contents;
alter table orcid.change_sides rename to change_contents;
alter table orcid.change_contents rename constraint change_sides_pkey to change_contents_pkey;
alter table orcid.change_contents rename constraint change_sides_side_check to change_contents_side_check;
comment on table orcid.change_contents is 'What each change said: the item before and after, each in a row of its own. Rows are missing where the item was not there, and where the content was forgotten.';
comment on column orcid.change_contents.orcid is 'The iD.';
comment on column orcid.change_contents.seq is 'The change.';
comment on column orcid.change_contents.side is 'old: the item before the change; new: after it.';
comment on column orcid.change_contents.visibility is 'Who may see this content: what the item''s visibility was, or, if the holder restricted it later, has become.';
comment on column orcid.change_contents.content is 'The item as {"doc", "detail", "group_put_code", "group_position"}, the record as {"state", "access", "primary_orcid", "doc"}, and "withheld" where something is.';

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
-- happen by mistake: grant_readers() passes over them, and a test does not let them in. A service that does not run as
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

select orcid_sync.protect_items(c.oid)
  from pg_class c
 where c.relnamespace = 'orcid'::regnamespace and c.relkind = 'r'
   and c.relname not in ('records', 'changes', 'change_contents');

-- The record itself is public data: its state, the history block, the language.
alter table orcid.records enable row level security;
create policy visible on orcid.records for select to public using (true);

-- A line of the feed is for those who may see the item after the change, and for those who might see it before: they
-- must hear that it is no longer theirs. What is said of the record itself is for all, also that something is withheld.
alter table orcid.changes enable row level security;
create policy visible on orcid.changes for select to public using (
  section = 'record'
  or 'public' in (visibility, visibility_before)
    and orcid not in (select r.orcid from orcid.records r where r.withheld = 'all')
  or 'limited' in (visibility, visibility_before) and (select orcid.sees_limited())
    and orcid not in (select r.orcid from orcid.records r where r.withheld is not null));

select orcid_sync.protect_items('orcid.change_contents');
create policy record_visible on orcid.change_contents for select to public using (
  orcid in (select r.orcid from orcid.records r where r.withheld = 'all')
  and exists (select from orcid.changes c where c.orcid = change_contents.orcid and c.seq = change_contents.seq and c.section = 'record'));

-- The feed as each reader may read it. What left the visibility that a reader has was withdrawn, as far as that reader
-- is concerned, and what came into it was added. The owner reads what was written.
-- Contents are looked up line by line, never joined: while all lines are additions, the planner takes the other side for
-- an empty set and reads the whole table to make sure, for each page.
create view orcid.change_feed with (security_invoker = true) as
  select h.epoch, c.seq, c.orcid, c.section, c.key,
         case when s.leaves then 'withdrawn' when s.enters then 'added' else c.op end as op,
         case when s.leaves then 'visibility' else c.reason end as reason,
         case when s.leaves or s.enters then '{}' else c.fields end as fields,
         c.minor,
         case when s.leaves then c.visibility_before else c.visibility end as visibility,
         c.cause, c.at, c.source_modified_at,
         case when not (s.leaves or s.enters or c.op = 'added') then (
           select o.content from orcid.change_contents o where o.orcid = c.orcid and o.seq = c.seq and o.side = 'old') end as old,
         case when not s.leaves then (
           select n.content from orcid.change_contents n where n.orcid = c.orcid and n.seq = c.seq and n.side = 'new') end as new
    from orcid.changes c
   cross join lateral (
      select c.op = 'updated' and r.restricted and not coalesce(c.visibility = any (r.seen), false) as leaves,
             c.op = 'updated' and r.restricted and not coalesce(c.visibility_before = any (r.seen), false) as enters
        from (
          select (select row_security_active('orcid.changes'::regclass)) as restricted,
                 case when (select orcid.sees_limited()) and c.orcid not in (select w.orcid from orcid.records w where w.withheld is not null)
                   then '{public,limited}' else '{public}'::text[] end as seen
        ) r
      offset 0 -- else the planner copies these conditions into every column
    ) s
   cross join orcid_sync.feed_head h;
comment on view orcid.change_feed is 'The change feed with its contents, as the reader may see it: select … where seq > <last seen> order by seq. A reader remembers epoch and seq; another epoch means: start again. Whoever keeps a copy must obey removed and withdrawn, and the record''s field withheld: hide what it names (limited, all) until it is null again, and then read the iD anew.';
comment on column orcid.change_feed.epoch is 'Identity of the feed''s history.';
comment on column orcid.change_feed.seq is 'Position: in the order of commits; gap-free for those who may see everything.';
comment on column orcid.change_feed.orcid is 'The iD.';
comment on column orcid.change_feed.section is 'Section of the item.';
comment on column orcid.change_feed.key is 'The item; empty where a record has only one. A line about e-mails with an empty key means all e-mails of the iD; those that remain follow.';
comment on column orcid.change_feed.op is 'added, updated, removed, or withdrawn (it still exists, but not for us or not for this reader).';
comment on column orcid.change_feed.reason is 'Reason of a removal, as in changes; visibility: the holder restricted it to others than this reader.';
comment on column orcid.change_feed.fields is 'Columns that differ, of an update.';
comment on column orcid.change_feed.minor is 'Whether only dates, order, names of sources or normalised identifiers moved.';
comment on column orcid.change_feed.visibility is 'Visibility of the item after the change, of one that is gone before it.';
comment on column orcid.change_feed.cause is 'What led to the read.';
comment on column orcid.change_feed.at is 'When the change was committed.';
comment on column orcid.change_feed.source_modified_at is 'When it changed at ORCID.';
comment on column orcid.change_feed.old is 'Content before; null if it was added, was forgotten, or is not for this reader.';
comment on column orcid.change_feed.new is 'Content after; null if it is gone, was forgotten, or is not for this reader any more.';

-- The past: the present, with every later change undone. The first change after t says what was there at t.
create function orcid.record_as_of(orcid text, t timestamptz)
  returns table (section text, key text, content jsonb)
  language sql stable
begin atomic
  with later as (
    select distinct on (c.section, c.key) c.section, c.key, x.content as old
      from orcid.changes c left join orcid.change_contents x on x.orcid = c.orcid and x.seq = c.seq and x.side = 'old'
     where c.orcid = record_as_of.orcid and c.at > record_as_of.t
     order by c.section, c.key, c.seq
  ), present as (
    select i.section, i.key, jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code', i.group_put_code, 'group_position', i.group_position) as content
      from orcid.items i where i.orcid = record_as_of.orcid
    union all
    select 'record', '', jsonb_build_object('state', r.state, 'access', r.access, 'primary_orcid', r.primary_orcid, 'doc', r.doc)
                         || case when r.withheld is null then '{}' else jsonb_build_object('withheld', r.withheld) end
      from orcid.records r where r.orcid = record_as_of.orcid
  )
  select section, key, old from later where old is not null
  union all
  select p.section, p.key, p.content from present p
   where not exists (select from later l where l.section = p.section and l.key = p.key);
end;
comment on function orcid.record_as_of is 'The record as the mirror held it at the moment t, as far as its reader may see it: one row per item, and one of section ''record'' for the record itself. Contents that were forgotten are missing.';

-- Of a group whose preferred version is not for the reader, the next best is shown.
create or replace view orcid.people with (security_invoker = true) as
  select r.orcid,
         coalesce(n.credit_name, nullif(concat_ws(' ', n.given_names, n.family_name), '')) as name,
         n.given_names,
         n.family_name,
         r.state,
         r.access,
         (select a.org_name from orcid.affiliations a
           where a.orcid = r.orcid and a.section = 'employment' and a.end_year is null
           order by a.start_date desc nulls last, a.put_code desc limit 1) as employer,
         (select count(distinct w.group_put_code) from orcid.works w where w.orcid = r.orcid) as works,
         r.registry_modified_at,
         r.changed_at
    from orcid.records r left join orcid.names n using (orcid);

create or replace view orcid.work_groups with (security_invoker = true) as
  select p.orcid, p.group_put_code, p.put_code, p.type, p.title, p.journal_title, p.publication_date, p.publication_year, p.versions, d.doi
    from (
      select w.*, count(*) over (partition by w.orcid, w.group_put_code) as versions,
             row_number() over (partition by w.orcid, w.group_put_code order by w.group_position) as place
        from orcid.works w
    ) p
    left join (
      select distinct on (v.orcid, v.group_put_code) v.orcid, v.group_put_code, coalesce(e.normalized, e.value) as doi
        from orcid.works v
        join orcid.external_ids e
          on e.orcid = v.orcid and e.section = 'work' and e.put_code = v.put_code and e.type = 'doi' and e.relationship = 'self'
       order by v.orcid, v.group_put_code, v.group_position, e.position
    ) d using (orcid, group_put_code)
   where p.place = 1;
comment on view orcid.work_groups is 'One row per work as ORCID groups its versions, shown by the holder''s preferred one of the versions that the reader may see.';
comment on column orcid.work_groups.put_code is 'Put-code of that version.';
comment on column orcid.work_groups.versions is 'Number of versions in the group that the reader may see.';

alter view orcid.freshness set (security_invoker = true);

-- The roles of readers: groups without a login, the same for all databases of the server. They may use schema orcid, as
-- far as it is protected, and nothing of orcid_sync: the few columns are those that change_feed and freshness show, and
-- only through them can they be reached, since the schema is closed.
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
    execute format('grant select (epoch) on orcid_sync.feed_head to %I', reader);
    execute format('grant select (orcid, state) on orcid_sync.connections to %I', reader);
    execute format('grant select (orcid, verified_at, due_at, attempts, last_error) on orcid_sync.queue to %I', reader);
  end loop;
end
$body$;
revoke all on function orcid_sync.grant_readers from public;
comment on function orcid_sync.grant_readers is 'Lets the roles orcid_reader and orcid_reader_limited, if they exist, read what of schema orcid is behind row security. To be called after each migration that adds a table or view, and by deploy/roles.sql.';

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
end
$body$;
revoke all on function orcid_sync.grant_service from public;
comment on function orcid_sync.grant_service is 'Lets a role that is not the owner run the service, in this version and in later ones, without the right to change the schema. The role needs BYPASSRLS, too: it writes by COPY, which PostgreSQL refuses where policies apply.';

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
  perform orcid_sync.grant_readers();
end
$body$;
