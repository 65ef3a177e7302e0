-- The past of one record, comparing two moments: contents are looked up for the first and the last line of each item
-- only, and e-mails that were added again because others went are not taken for new ones.

create or replace function orcid.changes_between(orcid text, t1 timestamptz, t2 timestamptz)
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
