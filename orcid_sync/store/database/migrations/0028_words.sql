-- More that analysts ask without reading JSON: who wrote with us, which grants we share, what a change was about.

create view orcid.publication_contributors with (security_invoker = true) as
  select distinct p.identifier_type, p.identifier, c.contributor_orcid, c.credit_name, c.role,
         r.orcid is not null as mirrored
    from orcid.publication_claims p
    join orcid.works w on w.orcid = p.orcid and w.group_put_code = p.group_put_code
    join orcid.contributors c on c.orcid = w.orcid and c.section = 'work' and c.put_code = w.put_code
    left join orcid.records r on r.orcid = c.contributor_orcid;
comment on view orcid.publication_contributors is 'Who wrote our publications, as their claimants list it: also those without a record here. Names are spelt as they are: without an iD the same person may have several rows.';
comment on column orcid.publication_contributors.identifier_type is 'The publication, as in publications.';
comment on column orcid.publication_contributors.identifier is 'The publication, as in publications.';
comment on column orcid.publication_contributors.contributor_orcid is 'iD of the contributor, if given; not proof that the person agreed.';
comment on column orcid.publication_contributors.credit_name is 'Name of the contributor.';
comment on column orcid.publication_contributors.role is 'Role: author, editor, … or a CRediT address.';
comment on column orcid.publication_contributors.mirrored is 'Whether the contributor''s own record is mirrored here.';

create function orcid.amount(said text) returns numeric
  language sql immutable parallel safe
  return case
    when said ~ '^\s*[0-9]{1,3}([.,'' ][0-9]{3})+([.,][0-9]{1,2})?\s*$'
      then (regexp_replace(regexp_replace(btrim(said), '[.,][0-9]{1,2}$', ''), '[^0-9]', '', 'g')
            || coalesce('.' || substring(btrim(said) from '[.,]([0-9]{1,2})$'), ''))::numeric
    when said ~ '^\s*[0-9]{1,18}([.,][0-9]{1,2})?\s*$' then replace(btrim(said), ',', '.')::numeric
  end;
comment on function orcid.amount is 'The number in an amount of money that was typed: 1,234.56 as 1.234,56 as 1 234,56; three digits behind a comma or full stop are thousands. Null if it is no plain number.';

create view orcid.grants with (security_invoker = true) as
  select i.ror as funder_ror, min(i.organisation) as funder, x.identifier as grant_number,
         (array_agg(f.title order by f.title is null, f.orcid, f.put_code))[1] as title,
         min(f.start_date) as start_date, max(orcid.latest_date(f.end_year, f.end_month, f.end_day)) as end_date,
         count(distinct f.orcid) as people, array_agg(distinct f.orcid::text) as holders,
         max(orcid.amount(f.amount_value)) as amount, max(f.amount_currency) as currency
    from orcid.fundings f
    join orcid.external_ids x on x.orcid = f.orcid and x.section = 'funding' and x.put_code = f.put_code
    left join orcid.item_organisations i on i.orcid = f.orcid and i.section = 'funding' and i.put_code = f.put_code
   where x.type = 'grant_number' and x.relationship = 'self' and x.identifier is not null
   group by i.ror, case when i.ror is null then lower(i.org_name) end, x.identifier;
comment on view orcid.grants is 'One row per grant across people: by funder (ROR id, else name) and grant number. Fundings without a number are in fundings alone.';
comment on column orcid.grants.funder_ror is 'ROR id of the funder; null if it is not known.';
comment on column orcid.grants.funder is 'Name of the funder.';
comment on column orcid.grants.grant_number is 'Number of the grant.';
comment on column orcid.grants.title is 'Title, as the first of the holders that gives one has it.';
comment on column orcid.grants.start_date is 'Earliest day that the start can mean, the earliest that a holder gives.';
comment on column orcid.grants.end_date is 'Latest day that the end can mean, the latest that a holder gives.';
comment on column orcid.grants.people is 'Number of holders.';
comment on column orcid.grants.holders is 'The iDs that name the grant on their records.';
comment on column orcid.grants.amount is 'The largest amount that is given for it, as far as it is a plain number (full form only).';
comment on column orcid.grants.currency is 'Currency of the amount, ISO 4217.';

-- Where each kind of item has its title (contract section 3.6); of names the parts.
create function orcid.item_title(content jsonb) returns text
  language sql immutable parallel safe
  return coalesce(
    content #>> '{doc,title,title,value}', content #>> '{doc,proposal,title,title,value}', content #>> '{doc,credit-name,value}',
    nullif(concat_ws(' ', content #>> '{doc,given-names,value}', content #>> '{doc,family-name,value}'), ''),
    content #>> '{doc,content}', content #>> '{doc,email}', content #>> '{doc,external-id-value}', content #>> '{doc,url-name}', content #>> '{doc,url,value}',
    content #>> '{doc,country,value}',
    nullif(concat_ws(', ', content #>> '{doc,role-title}', content #>> '{doc,reviewer-role}', content #>> '{doc,organization,name}', content #>> '{doc,convening-organization,name}'), ''));
comment on function orcid.item_title is 'What to call an item, from its content in the feed or in record_as_of: title, name, keyword, address, role and organisation.';

create view orcid.change_log with (security_invoker = true) as
  select f.seq, f.at, f.orcid, f.section, f.key, f.op, f.reason, f.fields, f.minor, f.cause, orcid.item_title(coalesce(f.new, f.old)) as title
    from orcid.change_feed f
   where f.section <> 'record';
comment on view orcid.change_log is 'The change feed for people who ask what happened: each change with what its item is called instead of its content.';
comment on column orcid.change_log.seq is 'Position in the feed.';
comment on column orcid.change_log.at is 'When the mirror took it in.';
comment on column orcid.change_log.orcid is 'The iD.';
comment on column orcid.change_log.section is 'Section of the item.';
comment on column orcid.change_log.key is 'The item: its put-code, or the e-mail address.';
comment on column orcid.change_log.op is 'added, updated, removed or withdrawn.';
comment on column orcid.change_log.reason is 'Why an item went.';
comment on column orcid.change_log.fields is 'Of an update: the columns that differ.';
comment on column orcid.change_log.minor is 'Whether only dates, order, names of sources or normalised identifiers moved.';
comment on column orcid.change_log.cause is 'What led to the read.';
comment on column orcid.change_log.title is 'What the item is called after the change, if it is gone before it; null where the content is not for this reader, or was forgotten.';

select orcid_sync.grant_readers();
