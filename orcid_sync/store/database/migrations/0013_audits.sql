-- The series of audits: how much of the mirror equalled ORCID when a random sample was read anew.

create table orcid_sync.audits (
  id          bigint generated always as identity primary key,
  started_at  timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  sampled     integer not null,
  verdicts    jsonb not null,
  share       double precision,
  low         double precision,
  high        double precision,
  findings    jsonb not null default '[]'
);
comment on table orcid_sync.audits is 'Audits: random samples of records that were read anew and compared with the mirror, item by item.';
comment on column orcid_sync.audits.id is 'Number of the audit.';
comment on column orcid_sync.audits.started_at is 'When it began.';
comment on column orcid_sync.audits.finished_at is 'When it ended.';
comment on column orcid_sync.audits.sampled is 'Records that were asked for.';
comment on column orcid_sync.audits.verdicts is 'Numbers by verdict: identical, pending, newer, drifted, unreadable.';
comment on column orcid_sync.audits.share is 'Share of the identical ones among those that could be read; null if none could.';
comment on column orcid_sync.audits.low is 'Lower end of its 95 % confidence interval (Wilson).';
comment on column orcid_sync.audits.high is 'Upper end of that interval.';
comment on column orcid_sync.audits.findings is 'Of each record that was not identical: the iD, the verdict, numbers of differences by section and kind, dates. Never a content.';
