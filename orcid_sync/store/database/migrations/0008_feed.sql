-- The change feed, and the past that is told from it. changes says what happened, change_contents what it said: so that a
-- person's content can be forgotten, or take another visibility, without rewriting history.

create table orcid_sync.feed_head (
  one   boolean primary key default true check (one),
  epoch uuid not null default gen_random_uuid(),
  last  bigint not null default 0,
  at    timestamptz not null default now()
);
insert into orcid_sync.feed_head default values;
comment on table orcid_sync.feed_head is 'The position of the change feed. Taken last in each applying transaction, so that positions are gap-free and in the order of commits.';
comment on column orcid_sync.feed_head.one is 'Always true: the table has one row.';
comment on column orcid_sync.feed_head.epoch is 'Changes when the feed''s history was lost or rewound; a reader with another epoch must start again.';
comment on column orcid_sync.feed_head.last is 'The last position given out.';
comment on column orcid_sync.feed_head.at is 'When the last position was given out, or the epoch.';

-- seq comes from orcid_sync.feed_head, so that it is gap-free and in the order of commits.
create table orcid.changes (
  seq                bigint not null,
  orcid              orcid_sync.orcid_id not null,
  section            text not null,
  key                text not null,
  op                 text not null check (op in ('added', 'updated', 'removed', 'withdrawn')),
  reason             text,
  fields             text[] not null default '{}',
  minor              boolean not null default false,
  visibility         text,
  cause              text not null,
  at                 timestamptz not null,
  source_modified_at timestamptz,
  visibility_before  text,
  primary key (orcid, seq)
);
create index changes_seq on orcid.changes (seq);
create index changes_key on orcid.changes (orcid, section, key, seq);
-- Which changes came after a moment: the feed is written in the order of time, so that this costs next to nothing.
create index changes_at on orcid.changes using brin (at) with (autosummarize = on, pages_per_range = 16);
-- A line of the feed is for those who may see the item after the change, and for those who might see it before: they
-- must hear that it is no longer theirs. What is said of the record itself is for all, also that something is withheld.
alter table orcid.changes enable row level security;
create policy visible on orcid.changes for select to public using (
  section = 'record'
  or 'public' in (visibility, visibility_before)
    and orcid not in (select r.orcid from orcid.records r where r.withheld = 'all')
  or 'limited' in (visibility, visibility_before) and (select orcid.sees_limited())
    and orcid not in (select r.orcid from orcid.records r where r.withheld is not null));
comment on table orcid.changes is 'Every change of the mirror, in the order of commits, as it was for the service. Read it through the view change_feed, which says what it was for the reader.';
comment on column orcid.changes.seq is 'Position in the feed: 1, 2, 3, … without gaps; a reader remembers the last one it has seen.';
comment on column orcid.changes.orcid is 'The iD.';
comment on column orcid.changes.section is 'record, name, biography, email, other-name, keyword, researcher-url, address, external-identifier, employment, …, work, funding, peer-review, research-resource.';
comment on column orcid.changes.key is 'The item: its put-code, the e-mail address, or empty where a record has only one. Those who may not see an e-mail any more must not find it named: then there is a line with an empty key, which means all e-mails of the iD; those that remain are added again right after.';
comment on column orcid.changes.op is 'added, updated, removed, or withdrawn (it still exists, but not for our access, or for fewer readers).';
comment on column orcid.changes.reason is 'Why an item went: removed (deleted or hidden by the holder, which cannot be told apart), access-lost, record-deactivated, record-deprecated, record-locked, erased, visibility (restricted to fewer readers). Null otherwise.';
comment on column orcid.changes.fields is 'Of an update: the columns that differ (external_ids, contributors, hosts and items for lists; doc if only members without a column differ).';
comment on column orcid.changes.minor is 'True if only dates, display order, grouping, names of sources, normalised identifiers or unknown members moved. Most readers want "not minor".';
comment on column orcid.changes.visibility is 'Visibility of the item after the change, of a removed one before it. Lines that name an e-mail which is not public any more have the visibility that is left of it.';
comment on column orcid.changes.cause is 'What led to the change: a read after notification, operator, first-load, check or second-look; erasure; or bootstrap: the record came from a file, such as ORCID''s public data file, and is as old as that.';
comment on column orcid.changes.at is 'When the change was committed to the mirror.';
comment on column orcid.changes.source_modified_at is 'last-modified-date of the item at ORCID, of a removed one that of the record.';
comment on column orcid.changes.visibility_before is 'Visibility of the item before the change; null of an addition, unless an e-mail is added again.';

-- One row per side of a change, with the visibility of what it says, so that row security can tell them apart. (The sides
-- gave the NOT NULLs their names, which PostgreSQL 18 shows.)
create table orcid.change_contents (
  orcid      orcid_sync.orcid_id constraint change_sides_orcid_not_null not null,
  seq        bigint constraint change_sides_seq_not_null not null,
  side       text constraint change_sides_side_not_null not null check (side in ('old', 'new')),
  visibility text,
  content    jsonb constraint change_sides_content_not_null not null,
  primary key (orcid, seq, side)
);
select orcid_sync.protect_items('orcid.change_contents');
create policy record_visible on orcid.change_contents for select to public using (
  orcid in (select r.orcid from orcid.records r where r.withheld = 'all')
  and exists (select from orcid.changes c where c.orcid = change_contents.orcid and c.seq = change_contents.seq and c.section = 'record'));
comment on table orcid.change_contents is 'What each change said: the item before and after, each in a row of its own. Rows are missing where the item was not there, and where the content was forgotten.';
comment on column orcid.change_contents.orcid is 'The iD.';
comment on column orcid.change_contents.seq is 'The change.';
comment on column orcid.change_contents.side is 'old: the item before the change; new: after it.';
comment on column orcid.change_contents.visibility is 'Who may see this content: what the item''s visibility was, or, if the holder restricted or removed it later, has become. What was public of an item that was removed is limited.';
comment on column orcid.change_contents.content is 'The item as {"doc", "detail", "group_put_code", "group_position"}, the record as {"state", "access", "primary_orcid", "doc"}, and "withheld" where something is.';

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
comment on view orcid.change_feed is 'The change feed with its contents, as the reader may see it: select … where seq > <last seen> order by seq. A reader remembers epoch and seq, and compares them with the view feed first: only that tells of a restore. Whoever keeps a copy must obey removed and withdrawn, and the lines of section record, whatever else is chosen (section = … or section = ''record''): whenever the record is updated or removed, replace the copy of that iD by what the tables show now.';
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
comment on column orcid.change_feed.cause is 'What led to the change; bootstrap: the record came from a file.';
comment on column orcid.change_feed.at is 'When the change was committed.';
comment on column orcid.change_feed.source_modified_at is 'When it changed at ORCID.';
comment on column orcid.change_feed.old is 'Content before; null if it was added, was forgotten, or is not for this reader. What an item said that is removed is for nobody but those who may see limited items.';
comment on column orcid.change_feed.new is 'Content after; null if it is gone, was forgotten, or is not for this reader any more.';

-- Where the feed ends. A reader of lines alone cannot notice a restore: "seq > mine" finds nothing then, as if all were well.
create view orcid.feed with (security_invoker = true) as
  select h.epoch, h.last as last_seq, h.at from orcid_sync.feed_head h;
comment on view orcid.feed is 'Where the change feed ends: one row. Compare it before you read on: if epoch is another one than yours, or last_seq is less than your position, the database was restored or lost commits; start again from the tables, and from what this row says in the same transaction.';
comment on column orcid.feed.epoch is 'Identity of the feed''s history.';
comment on column orcid.feed.last_seq is 'The last position of the feed, whether or not its line is for this reader: whoever has read everything up to here in the same transaction goes on behind it.';
comment on column orcid.feed.at is 'When that change was written; before the first one and after a restore, when this history began.';

-- After a restore, or a fail-over that lost commits, what is in the database is older than what others have seen of it.
--
-- Readers of the feed may remember positions that are given out again for other changes: a new epoch tells them.
-- Notifications and changes may be lost: every connected iD is read again. And a worker that was not stopped may hold a
-- lease whose number is given out again, too; its read is older than the lease that it would pass for, so it must not
-- end it. Hence lease numbers leap ahead of all that can have been lost, and whatever is leased is free.
--
-- Rows are locked in the order of their iDs, as marks do it, and the feed's head after them: it may run beside the service.
create function orcid_sync.new_epoch(spread interval default interval '1 day') returns uuid
  language sql
begin atomic
  with known as materialized (
    select q.orcid, c.state = 'connected' as connected, now() + new_epoch.spread * random() as at
      from orcid_sync.queue as q
      join orcid_sync.connections as c using (orcid)
     order by q.orcid
       for no key update of q
  )
  update orcid_sync.queue as q
     set lease_no = q.lease_no + 1000000000,
         lease_until = '-infinity',
         gen = case when known.connected then q.gen + 1 else q.gen end,
         due_at = case when known.connected then least(q.due_at, known.at) else q.due_at end,
         -- What is due earlier anyway keeps its place.
         lane = case when known.connected and known.at < q.due_at then 4 else q.lane end
    from known
   where q.orcid = known.orcid;
  update orcid_sync.feed_head set epoch = gen_random_uuid(), at = now() returning epoch;
end;
revoke all on function orcid_sync.new_epoch from public;
comment on function orcid_sync.new_epoch is 'To be called once after a restore, or a fail-over that lost commits: gives the change feed a new epoch, so that its readers start again, has every connected iD read again within the given time, and returns the epoch.';

-- ---------------------------------------------------------------------------------------------------------------------
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
comment on function orcid.record_as_of is 'The record as the mirror held it at the moment t, as far as its reader may see it: one row per item, and one of section ''record'' for the record itself. Contents that were forgotten are missing, and so are, for those who see only what is public, items that were restricted or removed since.';

create function orcid.items_as_of(section text, t timestamptz)
  returns table (orcid text, key text, content jsonb)
  language sql stable
begin atomic
  with later as (
    select distinct on (c.orcid, c.key) c.orcid, c.key, c.seq
      from orcid.changes c
     where c.section = items_as_of.section and c.at > items_as_of.t
     order by c.orcid, c.key, c.seq
  )
  select l.orcid::text, l.key, x.content
    from later l
    join orcid.change_contents x on x.orcid = l.orcid and x.seq = l.seq and x.side = 'old'
  union all
  select i.orcid::text, i.key,
         jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code', i.group_put_code, 'group_position', i.group_position)
    from orcid.items i
   where i.section = items_as_of.section
     and not exists (select from later l where l.orcid = i.orcid and l.key = i.key);
end;
comment on function orcid.items_as_of is 'All items of one section (work, employment, …) of all records as the mirror held them at the moment t, as far as the reader may see them; content as in record_as_of. Contents that were forgotten are missing.';

-- Contents are looked up for the first and the last line of each item only, and e-mails that were added again because
-- others went are not taken for new ones.
create function orcid.changes_between(orcid text, t1 timestamptz, t2 timestamptz)
  returns table (section text, key text, op text, reason text, fields text[], minor boolean, lines integer, before jsonb, after jsonb, forgotten boolean)
  language sql stable
begin atomic
  with told as (
    select f.section, f.key, f.seq, f.op, f.reason, f.fields, f.minor
      from orcid.change_feed f
     where f.orcid = changes_between.orcid
       and f.at > least(changes_between.t1, changes_between.t2) and f.at <= greatest(changes_between.t1, changes_between.t2)
  ), sums as (
    select t.section, t.key, min(t.seq) as first, max(t.seq) as last, count(*)::integer as lines, bool_and(t.minor) as minor
      from told t
     group by t.section, t.key
  ), named as (
    select t.section, t.key, array_agg(distinct field) as fields from told t cross join unnest(t.fields) as field group by t.section, t.key
  ), net as (
    select s.*, f.op <> 'added' or o.content is not null as was, l.op in ('added', 'updated') as stays,
           l.op as last_op, l.reason, o.content as old, n.content as new
      from sums s
      join told f on f.seq = s.first
      join told l on l.seq = s.last
      left join orcid.change_contents o on o.orcid = changes_between.orcid and o.seq = s.first and o.side = 'old'
      left join orcid.change_contents n on n.orcid = changes_between.orcid and n.seq = s.last and n.side = 'new'
  )
  select n.section, n.key,
         case when n.was and n.stays then 'updated' when n.stays then 'added' else n.last_op end,
         case when not n.stays then n.reason end,
         case when n.was and n.stays then coalesce(d.fields, '{}') else '{}' end,
         n.minor, n.lines, case when n.was then n.old end, case when n.stays then n.new end,
         n.was and n.old is null or n.stays and n.new is null
    from net n
    left join named d on d.section = n.section and d.key = n.key
   where (n.was or n.stays) and not coalesce(n.was and n.stays and n.old = n.new, false);
end;
comment on function orcid.changes_between is 'What had changed in a record at the later of two moments, compared with the earlier: one row per item, however often it changed in between, as far as the reader may see it. What came and went in between, or is again as it was, is left out. op, reason, fields and minor as in change_feed; lines: how many of its lines this sums up; before and after: content as in record_as_of; forgotten: one of them was forgotten, or is not for this reader.';

create function orcid.item_history(orcid text, section text, key text)
  returns table (since timestamptz, until timestamptz, op text, reason text, cause text, fields text[], content jsonb)
  language sql stable
begin atomic
  select f.at, lead(f.at) over (order by f.seq), f.op, f.reason, f.cause, f.fields, f.new
    from orcid.change_feed f
   where f.orcid = item_history.orcid and f.section = item_history.section and f.key = item_history.key
   order by f.seq;
end;
comment on function orcid.item_history is 'The life of one item: each state that the mirror held, from when until when (null: until now), as far as the reader may see it. content is null where the item was gone, or what it said was forgotten.';
