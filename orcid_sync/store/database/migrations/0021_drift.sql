-- Where ORCID's model grows beyond ours: members of its JSON that no column is made of.

create table orcid_sync.unknown_members (
  section         text not null,
  path            text not null,
  kind            text not null,
  first_seen_at   timestamptz not null default now(),
  last_seen_at    timestamptz not null default now(),
  times           bigint not null,
  acknowledged_at timestamptz,
  primary key (section, path)
);
comment on table orcid_sync.unknown_members is 'Members of ORCID''s JSON that this version does not know (contract section 11, no. 45). They are kept in the items'' doc; here is only that they exist, never what they say.';
comment on column orcid_sync.unknown_members.section is 'Section of the items that have it; record: the record itself.';
comment on column orcid_sync.unknown_members.path is 'Names from the item on, joined by dots; [] stands for the elements of a list, * for a name that does not look like one of ORCID''s.';
comment on column orcid_sync.unknown_members.kind is 'Type of the value, as JSON calls it: object, array, string, number, boolean; null while nothing else was seen.';
comment on column orcid_sync.unknown_members.first_seen_at is 'When it was first noted.';
comment on column orcid_sync.unknown_members.last_seen_at is 'When it was last noted.';
comment on column orcid_sync.unknown_members.times is 'Documents in which it was seen, of those that were new or had changed.';
comment on column orcid_sync.unknown_members.acknowledged_at is 'When an operator said that it is known; null: it is news, and status tells of it.';

create table orcid_sync.rebuilds (
  section     text primary key,
  version     text not null,
  reached     text not null default '',
  began_at    timestamptz not null default now(),
  finished_at timestamptz
);
comment on table orcid_sync.rebuilds is 'The last rebuild of each section: its columns made anew from the stored documents. An interrupted one goes on where it was.';
comment on column orcid_sync.rebuilds.section is 'The section; record: the records themselves.';
comment on column orcid_sync.rebuilds.version is 'Version of the software that did it; another one begins anew.';
comment on column orcid_sync.rebuilds.reached is 'The iD up to which all are done; empty when it is finished.';
comment on column orcid_sync.rebuilds.began_at is 'When it began.';
comment on column orcid_sync.rebuilds.finished_at is 'When it ended; null while it runs or if it was interrupted.';
