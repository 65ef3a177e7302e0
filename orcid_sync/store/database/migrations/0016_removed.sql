-- What an item said that was removed: its holder has deleted or hidden it, so the public reads it no more.
-- statement_timeout: 30min
--
-- From now on it is restricted in the transaction that removes it; here, what was removed before.

create temporary table gone on commit drop as
  select p.orcid, p.section, p.key
    from (
      select distinct on (c.orcid, c.section, c.key) c.orcid, c.section, c.key, c.op
        from orcid.changes c
       order by c.orcid, c.section, c.key, c.seq desc
    ) p
   where p.op = 'removed' and p.section <> 'record';
update orcid.change_contents t
   set visibility = 'limited'
  from gone g
  join orcid.changes c on c.orcid = g.orcid and c.section = g.section and c.key = g.key
 where t.orcid = c.orcid and t.seq = c.seq and t.visibility = 'public';

-- The lines that showed an e-mail say its address. The one that took it away stays: whoever has it must hear of that.
update orcid.changes c
   set visibility = case when c.visibility = 'public' then 'limited' else c.visibility end,
       visibility_before = case when c.visibility_before = 'public' then 'limited' else c.visibility_before end
  from gone g
 where c.orcid = g.orcid and c.section = 'email' and g.section = c.section and g.key = c.key and c.key <> ''
   and c.op in ('added', 'updated');

comment on column orcid.changes.visibility is 'Visibility of the item after the change, of a removed one before it. Lines that name an e-mail which is not public any more have the visibility that is left of it.';
comment on column orcid.changes.key is 'The item: its put-code, the e-mail address, or empty where a record has only one. Those who may not see an e-mail any more must not find it named: then there is a line with an empty key, which means all e-mails of the iD; those that remain are added again right after.';
comment on column orcid.change_contents.visibility is 'Who may see this content: what the item''s visibility was, or, if the holder restricted or removed it later, has become. What was public of an item that was removed is limited.';
comment on column orcid.change_feed.old is 'Content before; null if it was added, was forgotten, or is not for this reader. What an item said that is removed is for nobody but those who may see limited items.';
comment on function orcid.record_as_of is 'The record as the mirror held it at the moment t, as far as its reader may see it: one row per item, and one of section ''record'' for the record itself. Contents that were forgotten are missing, and so are, for those who see only what is public, items that were restricted or removed since.';
