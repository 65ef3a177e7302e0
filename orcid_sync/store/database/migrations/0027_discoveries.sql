-- Who might be asked next: record holders at the institution whom nobody has connected.

create table orcid_sync.discoveries (
  orcid         orcid_sync.orcid_id primary key,
  found_by      text[] not null default '{}',
  name          text,
  evidence      jsonb,
  first_seen_at timestamptz not null default now(),
  last_seen_at  timestamptz not null default now(),
  examined_at   timestamptz,
  told_at       timestamptz,
  dismissed_at  timestamptz
);
comment on table orcid_sync.discoveries is 'Record holders whom ORCID''s search finds by the institution''s identifiers and domains, and who are not connected. From public data only, and only as long as they are found; never those who left, said no or were erased. To ask people, not to follow them.';
comment on column orcid_sync.discoveries.orcid is 'The iD.';
comment on column orcid_sync.discoveries.found_by is 'The identifiers, domains (@example.edu) and names by which the search found it last.';
comment on column orcid_sync.discoveries.name is 'The public name. Personal: removed on dismissal and erasure.';
comment on column orcid_sync.discoveries.evidence is 'What the public record says: affiliations to the institution with years, domains of addresses, how many works are mirrored, some of their DOIs. Null until the record was read, and of those whose record says nothing of the kind. Personal: removed as the name is.';
comment on column orcid_sync.discoveries.first_seen_at is 'When the search first found it.';
comment on column orcid_sync.discoveries.last_seen_at is 'When the search last found it.';
comment on column orcid_sync.discoveries.examined_at is 'When the public record was last read for evidence; null: it waits.';
comment on column orcid_sync.discoveries.told_at is 'When it was first listed; null: it is news.';
comment on column orcid_sync.discoveries.dismissed_at is 'When an operator said not to suggest it any more. Stays, so that it is not; null otherwise.';
