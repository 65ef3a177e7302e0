-- name: forget_contents$
with forgotten as (
  delete from orcid.change_contents where orcid = :orcid returning 1
)
select count(*) from forgotten;

-- name: forget_addresses!
-- An e-mail's key is its address.
update orcid.changes set key = '' where orcid = :orcid and section = 'email' and key <> '';

-- name: forget_limited_contents$
with forgotten as (
  delete from orcid.change_contents as t
   using orcid.changes as c
   where t.orcid = :orcid and t.visibility is distinct from 'public'
     and c.orcid = t.orcid and c.seq = t.seq
     and not exists (
           select from orcid.items as i
            where i.orcid = :orcid and i.section = c.section and i.key = c.key
              and i.visibility is distinct from 'public'
         )
  returning 1
)
select count(*) from forgotten;

-- name: forget_limited_addresses!
-- The addresses that were not public at any time, unless the mirror still holds them.
update orcid.changes as c set key = ''
 where c.orcid = :orcid and c.section = 'email' and c.key <> ''
   and exists (
         select from orcid.changes as l
          where l.orcid = :orcid and l.section = 'email' and l.key = c.key
            and (l.visibility is distinct from 'public'
                 or l.op <> 'added' and l.visibility_before is distinct from 'public')
       )
   and not exists (select from orcid.emails as e where e.orcid = :orcid and e.email = c.key);

-- name: restrict_contents!
-- Contents that more people may see than the item now: they were public, and are not any more.
update orcid.change_contents as t set visibility = :visibility
  from unnest(:sections::text[], :keys::text[]) as item (section, key)
  join orcid.changes as c on c.orcid = :orcid and c.section = item.section and c.key = item.key
 where t.orcid = :orcid and t.seq = c.seq and t.visibility = any(:wider::text[]);

-- name: restrict_addresses!
-- The lines that showed an e-mail say its address. Those that took it away stay: whoever has it must hear of that.
update orcid.changes as c
   set visibility = case when c.visibility = any(:wider::text[]) then :visibility else c.visibility end,
       visibility_before = case when c.visibility_before = any(:wider::text[]) then :visibility else c.visibility_before end
 where c.orcid = :orcid and c.section = 'email' and c.key = any(:keys::text[])
   and c.op in ('added', 'updated')
   and (c.visibility = any(:wider::text[]) or c.visibility_before = any(:wider::text[]));

-- name: note_residue!
insert into orcid_sync.residue default values;
