-- The mirror: the record itself, and what its items need.

create table orcid.records (
  orcid                  orcid_sync.orcid_id primary key,
  state                  text not null,
  access                 text not null,
  primary_orcid          orcid_sync.orcid_id,
  locale                 text,
  creation_method        text,
  claimed                boolean,
  submitted_at           timestamptz,
  completed_at           timestamptz,
  deactivated_at         timestamptz,
  registry_modified_at   timestamptz,
  verified_email         boolean,
  verified_primary_email boolean,
  source_client_id       text,
  source_orcid           text,
  source_name            text,
  first_seen_at          timestamptz not null default now(),
  changed_at             timestamptz not null default now(),
  doc                    jsonb not null default '{}',
  withheld               text check (withheld in ('limited', 'all'))
);
-- Hidden from readers at once, before anything is known for certain: the rows stay until the end is confirmed.
create index records_withheld on orcid.records (orcid) where withheld is not null;
create index records_not_active on orcid.records (state) where state <> 'active';
-- The record itself is public data: its state, the history block, the language.
alter table orcid.records enable row level security;
create policy visible on orcid.records for select to public using (true);
comment on table orcid.records is 'One row per mirrored iD: the state of the record and its history block. Those without a row in freshness are mirrored from a file and not followed.';
comment on column orcid.records.orcid is 'The iD, path form (0000-0002-1825-0097).';
comment on column orcid.records.state is 'active, locked, unclaimed, deactivated, deprecated or not-found (contract section 3.5).';
comment on column orcid.records.access is 'What the record is read with: read-limited (the holder''s permission) or read-public.';
comment on column orcid.records.primary_orcid is 'The iD into which a deprecated iD was merged; null otherwise.';
comment on column orcid.records.locale is 'Language of the holder''s account (preferences.locale).';
comment on column orcid.records.creation_method is 'How the iD came to be: DIRECT, MEMBER_REFERRED, WEBSITE, API, …';
comment on column orcid.records.claimed is 'Whether the holder has claimed the record.';
comment on column orcid.records.submitted_at is 'When the account was created (history.submission-date).';
comment on column orcid.records.completed_at is 'history.completion-date; mostly null.';
comment on column orcid.records.deactivated_at is 'history.deactivation-date; null for an active record.';
comment on column orcid.records.registry_modified_at is 'history.last-modified-date. Moves for invisible reasons too (contract section 3.9), so a move alone is not in the change feed.';
comment on column orcid.records.verified_email is 'Whether the holder has verified any e-mail address.';
comment on column orcid.records.verified_primary_email is 'Whether the primary e-mail address is verified.';
comment on column orcid.records.source_client_id is 'Client that created the record, if a client did.';
comment on column orcid.records.source_orcid is 'iD-shaped source that created the record, if any.';
comment on column orcid.records.source_name is 'Name of the creating source as ORCID shows it.';
comment on column orcid.records.first_seen_at is 'When the mirror first held this record.';
comment on column orcid.records.changed_at is 'When a change of this record or any of its items was last applied.';
comment on column orcid.records.doc is 'The record''s own part of ORCID''s answer (identifier, preferences, history without its last-modified-date, and members unknown to this version), without the items.';
comment on column orcid.records.withheld is 'What readers are not shown for the time being: limited (our access is in doubt, or over), all (the record is locked, unclaimed, unknown or about to be closed); null: nothing.';

-- Merged records name their successor, which may be merged in its turn. What the mirror does not hold ends the chain;
-- so does a ring, which only iDs can form of which one was read before and one after somebody undid a merger.
create function orcid.canonical_orcid(orcid text) returns text
  language sql stable parallel safe
begin atomic
  with recursive chain (orcid, seen) as (
    select canonical_orcid.orcid, array[canonical_orcid.orcid]
    union all
    select r.primary_orcid::text, c.seen || r.primary_orcid::text
      from chain c join orcid.records r on r.orcid = c.orcid
     where r.primary_orcid is not null and r.primary_orcid <> all (c.seen)
  )
  select c.orcid from chain c order by cardinality(c.seen) desc limit 1;
end;
comment on function orcid.canonical_orcid is 'The iD into which this one was merged in the end, as far as the mirror knows; itself if it was not merged. What was granted for the old iD is not granted for the new one.';

-- ORCID's source block (contract section 3.6). A client that writes in the holder's name (assertion origin) repeats what
-- the holder says, so that is the holder's word. Some old clients have ids in the form of an iD.
create function orcid.asserted_by(orcid text, source_client_id text, source_orcid text, assertion_origin_orcid text) returns text
  language sql immutable parallel safe
  return case
    when source_orcid = orcid or assertion_origin_orcid = orcid then 'holder'
    when coalesce(source_client_id, source_orcid) is not null then 'organisation'
  end;
comment on function orcid.asserted_by is 'Who vouches for an item: holder (typed in, or written by a client on the holder''s behalf), organisation (anybody else), or null where ORCID names no source, as for names and biographies.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Fuzzy dates have optional parts, some of them impossible (month 00, 31 June, year 0): the parts are kept as given, and
-- these are the earliest and the latest real day that they can mean.

create function orcid.earliest_date(year smallint, month smallint, day smallint) returns date
  language sql immutable parallel safe
  return case when year between 1 and 9999 then
    make_date(year, case when month between 1 and 12 then month else 1 end, 1)
    + case when month between 1 and 12 and day >= 1 then
        least(day, extract(day from make_date(year, month, 1) + interval '1 month' - interval '1 day')::smallint) - 1
      else 0 end
  end;
comment on function orcid.earliest_date is 'The earliest day that a fuzzy date can mean: missing or impossible parts count as the first, a day past the month''s end as its last; null without a usable year.';

create function orcid.latest_date(year smallint, month smallint, day smallint) returns date
  language sql immutable parallel safe
  return case when year between 1 and 9999 then
    case when month between 1 and 12 then
      case when day between 1 and extract(day from make_date(year, month, 1) + interval '1 month' - interval '1 day')
        then make_date(year, month, day)
        else (make_date(year, month, 1) + interval '1 month' - interval '1 day')::date end
      else make_date(year, 12, 31) end
  end;
comment on function orcid.latest_date is 'The latest day that a fuzzy date can mean: missing or impossible parts count as the last; null without a usable year. What has no end before this day may still go on.';
