-- statement_timeout: 10min
-- Webhooks die without a word: what tells of it. When notifications could be taken at all, which changes no webhook
-- announced, and what was alarming.

create table orcid_sync.intake_hours (
  process       text not null,
  alive_from    timestamptz not null,
  alive_until   timestamptz not null,
  notifications bigint not null default 0,
  heard_at      timestamptz,
  primary key (process, alive_from)
);
create index intake_hours_until on orcid_sync.intake_hours (alive_until);
comment on table orcid_sync.intake_hours is 'When notifications could be taken: each process with a public listener says so every 30 seconds, on the connections that the notifications take. Gaps over all processes are the times in which ORCID was answered by nobody. Kept for 60 days.';
comment on column orcid_sync.intake_hours.process is 'Chosen by chance when the process started.';
comment on column orcid_sync.intake_hours.alive_from is 'Since when the process could take notifications without a pause; a new row begins with each hour (UTC) and after each pause.';
comment on column orcid_sync.intake_hours.alive_until is 'When it said so last.';
comment on column orcid_sync.intake_hours.notifications is 'Notifications acknowledged in that time.';
comment on column orcid_sync.intake_hours.heard_at is 'When one came last, to within 30 seconds; null: none.';

create table orcid_sync.evidence (
  day          date primary key,
  announced    bigint not null default 0,
  within_grace bigint not null default 0,
  missed       bigint not null default 0
);
comment on table orcid_sync.evidence is 'How changes of records were found, by the day (UTC): what ORCID''s webhooks are worth. Counted once for each read that found some; first loads, second looks and what ORCID never announces are left out. Kept for a year.';
comment on column orcid_sync.evidence.day is 'The day of the verdict.';
comment on column orcid_sync.evidence.announced is 'A notification told of the change before it was found.';
comment on column orcid_sync.evidence.within_grace is 'The change was found before its notification, which came in time (delivery_grace_hours).';
comment on column orcid_sync.evidence.missed is 'No notification came in time.';

create table orcid_sync.alarms (
  kind     text not null check (kind in ('outage', 'silence', 'canary')),
  began_at timestamptz not null,
  ended_at timestamptz,
  primary key (kind, began_at)
);
create unique index alarms_open on orcid_sync.alarms (kind) where ended_at is null;
comment on table orcid_sync.alarms is 'Times in which notifications did not come as they should. A silence that has ended counts as an outage: nobody knows what ORCID tried meanwhile.';
comment on column orcid_sync.alarms.kind is 'outage: no listener was alive for so long that webhooks may be lost; silence: none of all webhooks called for unusually long; canary: the record canary_orcid was not heard of.';
comment on column orcid_sync.alarms.began_at is 'Since when nothing was heard, or could be.';
comment on column orcid_sync.alarms.ended_at is 'When that was over; null: it lasts.';

alter table orcid_sync.webhooks add column awaited_since timestamptz;
comment on column orcid_sync.webhooks.awaited_since is 'ORCID''s date of a change that was found before any notification of it, which may still come; null: none is awaited.';
create index webhooks_awaited on orcid_sync.webhooks (awaited_since) where awaited_since is not null;
-- Which of them were not seen alive since a moment.
create index webhooks_alive on orcid_sync.webhooks (coalesce(greatest(registered_at, last_called_at), '-infinity'));
