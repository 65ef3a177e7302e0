-- Why is this so, and what was it then? A small journal of reads, and the past for analysts.

create table orcid_sync.reads (
  orcid    orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  lease_no bigint not null,
  first_at timestamptz not null default now(),
  at       timestamptz not null default now(),
  times    integer not null default 1 check (times > 0),
  cause    text not null,
  outcome  text not null,
  error    text,
  changes  jsonb,
  primary key (orcid, lease_no)
);
comment on table orcid_sync.reads is 'The last reconciliations of each iD that found or failed at something, 20 at most; what found nothing new is not written (queue.verified_at knows the last). For people who ask why (orcid-sync explain); nothing depends on it.';
comment on column orcid_sync.reads.orcid is 'The iD.';
comment on column orcid_sync.reads.lease_no is 'Number of the lease under which it was done; the first one, if the same happened again.';
comment on column orcid_sync.reads.first_at is 'When it happened first.';
comment on column orcid_sync.reads.at is 'When it happened last.';
comment on column orcid_sync.reads.times is 'How often it happened without anything else in between but reads that found nothing new.';
comment on column orcid_sync.reads.cause is 'What led to it, as in the change feed.';
comment on column orcid_sync.reads.outcome is 'How it ended, in the word of the log: changed, held, failed, unconfirmed, suspect, locked, …';
comment on column orcid_sync.reads.error is 'What it failed at, as queue.last_error says it: never a token or a record''s content.';
comment on column orcid_sync.reads.changes is 'Numbers of changes by operation; null if there were none.';

-- Which changes came after a moment: the feed is written in the order of time, so that this costs next to nothing.
create index changes_at on orcid.changes using brin (at) with (autosummarize = on, pages_per_range = 16);

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

create function orcid.changes_between(orcid text, t1 timestamptz, t2 timestamptz)
  returns table (section text, key text, op text, reason text, fields text[], minor boolean, lines integer, before jsonb, after jsonb, forgotten boolean)
  language sql stable
begin atomic
  with lines as (
    select f.*, row_number() over (partition by f.section, f.key order by f.seq) as n,
           count(*) over (partition by f.section, f.key) as number
      from orcid.change_feed f
     where f.orcid = changes_between.orcid
       and f.at > least(changes_between.t1, changes_between.t2) and f.at <= greatest(changes_between.t1, changes_between.t2)
  ), told as (
    select l.section, l.key, array_agg(distinct field) filter (where field is not null) as fields, bool_and(l.minor) as minor
      from lines l left join lateral unnest(l.fields) as field on true
     group by l.section, l.key
  ), net as (
    select first.section, first.key, first.op <> 'added' or first.old is not null as was, last.op in ('added', 'updated') as is_,
           last.op as last_op, last.reason, first.old, case when last.op in ('added', 'updated') then last.new end as new, last.number
      from lines first
      join lines last on last.section = first.section and last.key = first.key and last.n = last.number
     where first.n = 1
  )
  select n.section, n.key,
         case when n.was and n.is_ then 'updated' when n.is_ then 'added' else n.last_op end,
         case when not n.is_ then n.reason end,
         case when n.was and n.is_ then coalesce(t.fields, '{}') else '{}' end,
         t.minor, n.number::integer, n.old, n.new,
         n.was and n.old is null or n.is_ and n.new is null
    from net n join told t on t.section = n.section and t.key = n.key
   where (n.was or n.is_) and not (n.was and n.is_ and n.old = n.new);
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

select orcid_sync.grant_readers();
