-- What consumers read most: every item in one view, the people, each kind of affiliation, works as grouped, the feed, the past.
-- security_invoker: a view must not show more than its reader may see in the tables under it. change_feed and freshness
-- are without it, because they also read schema orcid_sync, in which readers have no rights.

create view orcid.items with (security_invoker = true) as
  select orcid, 'name' as section, '' as key, visibility, modified_at, first_seen_at, changed_at, digest, null::timestamptz as detail_modified_at, doc, null::jsonb as detail, null::bigint as group_put_code, null::integer as group_position from orcid.names
  union all select orcid, 'biography', '', visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.biographies
  union all select orcid, 'email', email, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.emails
  union all select orcid, 'other-name', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.other_names
  union all select orcid, 'keyword', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.keywords
  union all select orcid, 'address', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.addresses
  union all select orcid, 'researcher-url', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.researcher_urls
  union all select orcid, 'external-identifier', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, null, null from orcid.person_identifiers
  union all select orcid, section, put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, null, doc, null, group_put_code, group_position from orcid.affiliations
  union all select orcid, 'work', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position from orcid.works
  union all select orcid, 'funding', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position from orcid.fundings
  union all select orcid, 'peer-review', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position from orcid.peer_reviews
  union all select orcid, 'research-resource', put_code::text, visibility, modified_at, first_seen_at, changed_at, digest, detail_modified_at, doc, detail, group_put_code, group_position from orcid.research_resources;
comment on view orcid.items is 'Every item of every section in one shape; the typed columns are in the section''s own table.';
comment on column orcid.items.orcid is 'The iD.';
comment on column orcid.items.section is 'Section, as in changes.';
comment on column orcid.items.key is 'The item, as in changes: put-code, e-mail address, or empty.';
comment on column orcid.items.visibility is 'Who may see the item at ORCID.';
comment on column orcid.items.modified_at is 'When the item was last changed at ORCID.';
comment on column orcid.items.first_seen_at is 'When the mirror first held this item.';
comment on column orcid.items.changed_at is 'When the mirror last changed it.';
comment on column orcid.items.digest is 'Hash of the item as ORCID gave it.';
comment on column orcid.items.detail_modified_at is 'last-modified-date of the full item as it was when read.';
comment on column orcid.items.doc is 'The item as ORCID gave it.';
comment on column orcid.items.detail is 'The full item as ORCID gave it.';
comment on column orcid.items.group_put_code is 'The group that the item is in, by its smallest put-code.';
comment on column orcid.items.group_position is 'Place inside the group; 0 is preferred.';

create view orcid.employments with (security_invoker = true) as select * from orcid.affiliations where section = 'employment';
comment on view orcid.employments is 'Affiliations of the kind employment.';
create view orcid.educations with (security_invoker = true) as select * from orcid.affiliations where section = 'education';
comment on view orcid.educations is 'Affiliations of the kind education.';
create view orcid.qualifications with (security_invoker = true) as select * from orcid.affiliations where section = 'qualification';
comment on view orcid.qualifications is 'Affiliations of the kind qualification.';
create view orcid.distinctions with (security_invoker = true) as select * from orcid.affiliations where section = 'distinction';
comment on view orcid.distinctions is 'Affiliations of the kind distinction.';
create view orcid.invited_positions with (security_invoker = true) as select * from orcid.affiliations where section = 'invited-position';
comment on view orcid.invited_positions is 'Affiliations of the kind invited-position.';
create view orcid.memberships with (security_invoker = true) as select * from orcid.affiliations where section = 'membership';
comment on view orcid.memberships is 'Affiliations of the kind membership.';
create view orcid.services with (security_invoker = true) as select * from orcid.affiliations where section = 'service';
comment on view orcid.services is 'Affiliations of the kind service.';

-- The columns of these views mean what they mean in the table.
do $$
declare
  copied record;
begin
  for copied in
    select v.relname, c.attname, col_description(c.attrelid, c.attnum) as meaning
      from pg_class v
      join pg_attribute c on c.attrelid = 'orcid.affiliations'::regclass and c.attnum > 0 and not c.attisdropped
     where v.relnamespace = 'orcid'::regnamespace
       and v.relname in ('employments', 'educations', 'qualifications', 'distinctions', 'invited_positions', 'memberships', 'services')
  loop
    execute format('comment on column orcid.%I.%I is %L', copied.relname, copied.attname, copied.meaning);
  end loop;
end
$$;

create view orcid.people with (security_invoker = true) as
  select r.orcid,
         coalesce(n.credit_name, nullif(concat_ws(' ', n.given_names, n.family_name), '')) as name,
         n.given_names,
         n.family_name,
         r.state,
         r.access,
         (select a.org_name from orcid.affiliations a
           where a.orcid = r.orcid and a.section = 'employment' and a.end_year is null
           order by a.start_date desc nulls last, a.put_code desc limit 1) as employer,
         (select count(*) from orcid.works w where w.orcid = r.orcid and w.preferred) as works,
         r.registry_modified_at,
         r.changed_at
    from orcid.records r left join orcid.names n using (orcid);
comment on view orcid.people is 'One row per mirrored iD with what one wants to see first.';
comment on column orcid.people.orcid is 'The iD.';
comment on column orcid.people.name is 'Published name, else given and family names; null if not visible to us.';
comment on column orcid.people.given_names is 'Given names.';
comment on column orcid.people.family_name is 'Family name.';
comment on column orcid.people.state is 'State of the record.';
comment on column orcid.people.access is 'What the record is read with.';
comment on column orcid.people.employer is 'Organisation of the latest employment without an end.';
comment on column orcid.people.works is 'Number of works, each group of versions counted once.';
comment on column orcid.people.registry_modified_at is 'When the record last moved at ORCID, visibly or not.';
comment on column orcid.people.changed_at is 'When the mirror of the record last changed.';

create view orcid.work_groups with (security_invoker = true) as
  select p.orcid, p.group_put_code, p.put_code, p.type, p.title, p.journal_title, p.publication_date, p.publication_year, p.versions, d.doi
    from (select w.*, count(*) over (partition by w.orcid, w.group_put_code) as versions from orcid.works w) p
    left join (
      select distinct on (v.orcid, v.group_put_code) v.orcid, v.group_put_code, coalesce(e.normalized, e.value) as doi
        from orcid.works v
        join orcid.external_ids e
          on e.orcid = v.orcid and e.section = 'work' and e.put_code = v.put_code and e.type = 'doi' and e.relationship = 'self'
       order by v.orcid, v.group_put_code, v.group_position, e.position
    ) d using (orcid, group_put_code)
   where p.preferred;
comment on view orcid.work_groups is 'One row per work as ORCID groups its versions, shown by the holder''s preferred version.';
comment on column orcid.work_groups.orcid is 'The iD.';
comment on column orcid.work_groups.group_put_code is 'Smallest put-code in the group.';
comment on column orcid.work_groups.put_code is 'Put-code of the preferred version.';
comment on column orcid.work_groups.type is 'Type of work.';
comment on column orcid.work_groups.title is 'Title.';
comment on column orcid.work_groups.journal_title is 'Journal.';
comment on column orcid.work_groups.publication_date is 'Earliest day that the publication date can mean.';
comment on column orcid.work_groups.publication_year is 'Year of publication.';
comment on column orcid.work_groups.versions is 'Number of versions in the group.';
comment on column orcid.work_groups.doi is 'DOI of the work (relationship self), the preferred version''s first.';

-- A version without an identifier of the better kind goes under that of its group, so that a work is not counted twice.
create view orcid.publications with (security_invoker = true) as
  with own as (
    select distinct on (w.orcid, w.put_code) w.orcid, w.put_code, w.group_put_code, w.group_position, w.preferred, w.title, w.type, w.publication_date,
           e.type as identifier_type, lower(coalesce(e.normalized, e.value)) as identifier, array_position(array['doi', 'pmid', 'arxiv', 'isbn'], e.type) as rank
      from orcid.works w
      left join orcid.external_ids e
        on e.orcid = w.orcid and e.section = 'work' and e.put_code = w.put_code and e.relationship = 'self'
       and e.type in ('doi', 'pmid', 'arxiv', 'isbn')
     order by w.orcid, w.put_code, rank, e.position
  ), grouped as (
    select own.*, first_value(rank) over best as best_rank, first_value(identifier_type) over best as best_type, first_value(identifier) over best as best
      from own
    window best as (partition by orcid, group_put_code order by rank, group_position)
  )
  select coalesce(case when rank = best_rank then identifier_type else best_type end, 'put-code') as identifier_type,
         coalesce(case when rank = best_rank then identifier else best end, orcid || '/' || group_put_code) as identifier,
         (array_agg(title order by preferred desc, orcid, put_code))[1] as title,
         (array_agg(type order by preferred desc, orcid, put_code))[1] as type,
         min(publication_date) as publication_date,
         array_agg(distinct orcid::text) as claimants
    from grouped
   group by 1, 2;
comment on view orcid.publications is 'One row per work across people: by DOI, else PMID, arXiv or ISBN; works without any of them stand alone.';
comment on column orcid.publications.identifier_type is 'doi, pmid, arxiv, isbn, or put-code where the work has none.';
comment on column orcid.publications.identifier is 'The identifier in ORCID''s normalised form, lower case.';
comment on column orcid.publications.title is 'Title as one of the claimants prefers it.';
comment on column orcid.publications.type is 'Type of work.';
comment on column orcid.publications.publication_date is 'Earliest publication date that a claimant gives.';
comment on column orcid.publications.claimants is 'The iDs that claim the work.';

create view orcid.change_feed as
  select h.epoch, c.seq, c.orcid, c.section, c.key, c.op, c.reason, c.fields, c.minor, c.visibility, c.cause, c.at,
         c.source_modified_at, t.old, t.new
    from orcid.changes c
    left join orcid.change_contents t on t.orcid = c.orcid and t.seq = c.seq
    cross join orcid_sync.feed_head h;
comment on view orcid.change_feed is 'The change feed with its contents: select … where seq > <last seen> order by seq. A reader remembers epoch and seq; another epoch means: start again.';
comment on column orcid.change_feed.epoch is 'Identity of the feed''s history.';
comment on column orcid.change_feed.seq is 'Position: gap-free, in the order of commits.';
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

create view orcid.freshness as
  select q.orcid, c.state, q.verified_at, q.due_at, q.attempts, q.last_error, now() - q.verified_at as age
    from orcid_sync.queue q join orcid_sync.connections c using (orcid);
comment on view orcid.freshness is 'When each mirrored record was last known to equal ORCID''s, and when it is looked at next.';
comment on column orcid.freshness.orcid is 'The iD.';
comment on column orcid.freshness.state is 'State of the connection.';
comment on column orcid.freshness.verified_at is 'When the mirror was last known to equal the Registry''s answer; null before the first load.';
comment on column orcid.freshness.due_at is 'When it is looked at next, unless a notification comes first.';
comment on column orcid.freshness.attempts is 'Failed attempts in a row.';
comment on column orcid.freshness.last_error is 'Kind of the last failure.';
comment on column orcid.freshness.age is 'Time since it was last verified.';

-- The past: the present, with every later change undone. The first change after t says what was there at t.
create function orcid.record_as_of(orcid text, t timestamptz)
  returns table (section text, key text, content jsonb)
  language sql stable
begin atomic
  with later as (
    select distinct on (c.section, c.key) c.section, c.key, x.old
      from orcid.changes c left join orcid.change_contents x on x.orcid = c.orcid and x.seq = c.seq
     where c.orcid = record_as_of.orcid and c.at > record_as_of.t
     order by c.section, c.key, c.seq
  ), present as (
    select i.section, i.key, jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code', i.group_put_code, 'group_position', i.group_position) as content
      from orcid.items i where i.orcid = record_as_of.orcid
    union all
    select 'record', '', jsonb_build_object('state', r.state, 'access', r.access, 'primary_orcid', r.primary_orcid, 'doc', r.doc)
      from orcid.records r where r.orcid = record_as_of.orcid
  )
  select section, key, old from later where old is not null
  union all
  select p.section, p.key, p.content from present p
   where not exists (select from later l where l.section = p.section and l.key = p.key);
end;
comment on function orcid.record_as_of is 'The record as the mirror held it at the moment t: one row per item, and one of section ''record'' for the record itself. Contents that were forgotten are missing.';
