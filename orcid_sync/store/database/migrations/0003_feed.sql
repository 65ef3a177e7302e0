-- The change feed. changes says what happened, change_contents what it said: so that a person's content can be forgotten
-- without rewriting history. seq comes from orcid_sync.feed_head, so that it is gap-free and in the order of commits.

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
  primary key (orcid, seq)
);
create index changes_seq on orcid.changes (seq);
create index changes_key on orcid.changes (orcid, section, key, seq);
comment on table orcid.changes is 'Every change of the mirror, in the order of commits. Read it through the view change_feed.';
comment on column orcid.changes.seq is 'Position in the feed: 1, 2, 3, … without gaps; a reader remembers the last one it has seen.';
comment on column orcid.changes.orcid is 'The iD.';
comment on column orcid.changes.section is 'record, name, biography, email, other-name, keyword, researcher-url, address, external-identifier, employment, …, work, funding, peer-review, research-resource.';
comment on column orcid.changes.key is 'The item: its put-code, the e-mail address, or empty where a record has only one.';
comment on column orcid.changes.op is 'added, updated, removed, or withdrawn (it still exists, but not for our access).';
comment on column orcid.changes.reason is 'Of a removal: removed (deleted or hidden by the holder, which cannot be told apart), access-lost, record-deactivated, record-deprecated, record-locked, erased. Null otherwise.';
comment on column orcid.changes.fields is 'Of an update: the columns that differ (external_ids, contributors, hosts and items for lists; doc if only members without a column differ).';
comment on column orcid.changes.minor is 'True if only dates, display order, grouping, names of sources, normalised identifiers or unknown members moved. Most readers want "not minor".';
comment on column orcid.changes.visibility is 'Visibility of the item after the change, of a removed one before it.';
comment on column orcid.changes.cause is 'What led to the read: notification, operator, first-load, check or second-look.';
comment on column orcid.changes.at is 'When the change was committed to the mirror.';
comment on column orcid.changes.source_modified_at is 'last-modified-date of the item at ORCID, of a removed one that of the record.';

create table orcid.change_contents (
  seq   bigint not null,
  orcid orcid_sync.orcid_id not null,
  old   jsonb,
  new   jsonb,
  primary key (orcid, seq)
);
comment on table orcid.change_contents is 'What each change said: the item before and after, as {"doc", "detail", "group_put_code", "group_position"}.';
comment on column orcid.change_contents.seq is 'The change.';
comment on column orcid.change_contents.orcid is 'The iD.';
comment on column orcid.change_contents.old is 'The item before the change; null if it was added, or if the content was forgotten.';
comment on column orcid.change_contents.new is 'The item after the change; null if it was removed, or if the content was forgotten.';
