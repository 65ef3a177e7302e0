-- Who may see what is decided by the database, not by those who ask it (faults F49, F60, F61, F68; invariant S13).
-- statement_timeout: 30min
--
-- First the history: one row per side of a change, with the visibility of what it says, so that row security can tell
-- them apart, and so that content can take another visibility, or be forgotten, without touching the lines themselves.

alter table orcid.changes add column visibility_before text;
comment on column orcid.changes.visibility_before is 'Visibility of the item before the change; null of an addition.';
comment on column orcid.changes.key is 'The item: its put-code, the e-mail address, or empty where a record has only one. A removal of e-mails for good has an empty key and means all e-mails of the iD (the address itself is to be forgotten); those that remain are added again right after.';

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

-- The contents move behind the visibility that the item has now, where it has less of it (fault F61).
with present as (
  select distinct on (c.orcid, c.section, c.key) c.orcid, c.section, c.key, c.visibility
    from orcid.changes c
   order by c.orcid, c.section, c.key, c.seq desc
)
update orcid.change_sides s
   set visibility = p.visibility
  from orcid.changes c
  join present p on p.orcid = c.orcid and p.section = c.section and p.key = c.key
 where s.orcid = c.orcid and s.seq = c.seq
   and (s.visibility = 'public' and p.visibility is distinct from 'public'
        or s.visibility = 'limited' and (p.visibility is null or p.visibility not in ('public', 'limited')));

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

create view orcid.change_feed with (security_invoker = true) as
  select h.epoch, c.seq, c.orcid, c.section, c.key, c.op, c.reason, c.fields, c.minor, c.visibility, c.cause, c.at,
         c.source_modified_at, o.content as old, n.content as new
    from orcid.changes c
    left join orcid.change_contents o on o.orcid = c.orcid and o.seq = c.seq and o.side = 'old'
    left join orcid.change_contents n on n.orcid = c.orcid and n.seq = c.seq and n.side = 'new'
   cross join orcid_sync.feed_head h;
comment on view orcid.change_feed is 'The change feed with its contents: select … where seq > <last seen> order by seq. A reader remembers epoch and seq; another epoch means: start again.';
comment on column orcid.change_feed.epoch is 'Identity of the feed''s history.';
comment on column orcid.change_feed.seq is 'Position: in the order of commits, and gap-free for those who may see everything.';
comment on column orcid.change_feed.orcid is 'The iD.';
comment on column orcid.change_feed.section is 'Section of the item.';
comment on column orcid.change_feed.key is 'The item.';
comment on column orcid.change_feed.op is 'added, updated, removed or withdrawn.';
comment on column orcid.change_feed.reason is 'Reason of a removal.';
comment on column orcid.change_feed.fields is 'Columns that differ, of an update.';
comment on column orcid.change_feed.minor is 'Whether only dates, order, names of sources or normalised identifiers moved.';
comment on column orcid.change_feed.visibility is 'Visibility of the item.';
comment on column orcid.change_feed.cause is 'What led to the read.';
comment on column orcid.change_feed.at is 'When the change was committed.';
comment on column orcid.change_feed.source_modified_at is 'When it changed at ORCID.';
comment on column orcid.change_feed.old is 'Content before.';
comment on column orcid.change_feed.new is 'Content after.';

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
comment on function orcid.record_as_of is 'The record as the mirror held it at the moment t: one row per item, and one of section ''record'' for the record itself. Contents that were forgotten are missing.';

alter view orcid.freshness set (security_invoker = true);
