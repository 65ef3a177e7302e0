-- Which ORCID Registry this database is a mirror of: an iD of the sandbox is somebody else's, or nobody's, in production.

create table orcid_sync.environment (
  only_row boolean primary key default true check (only_row),
  name     text not null
);
comment on table orcid_sync.environment is 'The ORCID environment of everything in this database: one row, written when the service starts for the first time.';
comment on column orcid_sync.environment.only_row is 'Always true: there is only one row.';
comment on column orcid_sync.environment.name is 'production, sandbox or custom; the service starts with no other.';
