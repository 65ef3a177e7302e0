-- The nets: ways of noticing changes without asking for every record. Each knows how far it has looked.

create table orcid_sync.nets (
  name        text primary key,
  since       timestamptz not null default now(),
  began_at    timestamptz,
  reached     text not null default '',
  lease_no    bigint not null default 0,
  lease_until timestamptz not null default '-infinity'
);
comment on table orcid_sync.nets is 'How far each net has looked for changes, so that a sweep that is interrupted goes on where it was.';
comment on column orcid_sync.nets.name is 'search: ORCID''s search; file: the daily list of changed records.';
comment on column orcid_sync.nets.since is 'Changes before this moment were looked for already.';
comment on column orcid_sync.nets.began_at is 'When the sweep that is under way began; null between two sweeps.';
comment on column orcid_sync.nets.reached is 'The last iD that this sweep has asked for; empty at its beginning.';
comment on column orcid_sync.nets.lease_no is 'Counts leases; only the holder of the newest one may write.';
comment on column orcid_sync.nets.lease_until is 'Until when one replica has this net for itself; past means free.';
