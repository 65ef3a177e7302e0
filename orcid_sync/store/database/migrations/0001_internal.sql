-- Schema orcid_sync: what the service itself needs to know. Not an interface: consumers read schema orcid.
-- Every key contains orcid where there is one, and no transaction of a reconciliation touches two iDs.

create schema orcid_sync;
comment on schema orcid_sync is 'Internal state of the synchronisation (queue, connections, tokens, webhooks). May change in any release; consumers read schema orcid.';

create domain orcid_sync.orcid_id as text check (value ~ '^[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]$');
comment on domain orcid_sync.orcid_id is 'An ORCID iD in path form (contract section 8). The check digit is tested by the application.';

create table orcid_sync.connections (
  orcid           orcid_sync.orcid_id primary key,
  state           text not null default 'connected' check (state in ('connected', 'disconnecting', 'disconnected')),
  access_state    text not null default 'public' check (access_state in ('granted', 'suspect', 'revoked', 'expired', 'public')),
  connected_at    timestamptz not null default now(),
  disconnected_at timestamptz
);
comment on table orcid_sync.connections is 'One row per iD that we follow or have followed: the permission to mirror it.';
comment on column orcid_sync.connections.orcid is 'The iD, path form.';
comment on column orcid_sync.connections.state is 'connected: mirrored; disconnecting: the webhook is being removed; disconnected: left alone, its mirror frozen.';
comment on column orcid_sync.connections.access_state is 'State of the access token: granted, suspect (a 401 was seen), revoked, expired, or public (there is none).';
comment on column orcid_sync.connections.connected_at is 'When the iD was connected first or again.';
comment on column orcid_sync.connections.disconnected_at is 'When disconnecting was asked for; null while connected.';

create table orcid_sync.tokens (
  orcid         orcid_sync.orcid_id primary key references orcid_sync.connections on delete cascade,
  access_token  text not null,
  refresh_token text,
  scopes        text[] not null default '{}',
  granted_at    timestamptz not null default now(),
  expires_at    timestamptz
);
comment on table orcid_sync.tokens is 'The permission tokens that record holders granted, encrypted (AES-256-GCM, bound to the iD and the column).';
comment on column orcid_sync.tokens.orcid is 'The iD whose holder granted the token.';
comment on column orcid_sync.tokens.access_token is 'Ciphertext of the access token.';
comment on column orcid_sync.tokens.refresh_token is 'Ciphertext of the refresh token; null if none was given.';
comment on column orcid_sync.tokens.scopes is 'The scopes that ORCID granted, as it names them (contract section 2.2).';
comment on column orcid_sync.tokens.granted_at is 'When the token was granted or handed to us.';
comment on column orcid_sync.tokens.expires_at is 'When the token ends; ORCID''s usual life is 20 years (contract section 2.7). Null if unknown.';

create table orcid_sync.client_tokens (
  client_id    text not null,
  scope        text not null,
  access_token text not null,
  fetched_at   timestamptz not null default now(),
  expires_at   timestamptz not null,
  primary key (client_id, scope)
);
comment on table orcid_sync.client_tokens is 'Our own two-legged tokens (contract section 2.3), fetched once, encrypted, shared by all replicas.';
comment on column orcid_sync.client_tokens.client_id is 'The ORCID API client that the token belongs to.';
comment on column orcid_sync.client_tokens.scope is 'The one scope asked for: /read-public or /webhook.';
comment on column orcid_sync.client_tokens.access_token is 'Ciphertext of the token.';
comment on column orcid_sync.client_tokens.fetched_at is 'When the token was fetched.';
comment on column orcid_sync.client_tokens.expires_at is 'When the token ends.';

-- The queue: every connected iD is one row with a due_at. Counters (gen, leased_gen, done_gen, lease_no) decide what is
-- right; due_at only decides when. A small row, kept small: it is the only one that an unchanged record rewrites.
create table orcid_sync.queue (
  orcid                 orcid_sync.orcid_id primary key references orcid_sync.connections on delete cascade,
  due_at                timestamptz not null default now(),
  lane                  smallint not null default 2 check (lane between 0 and 4),
  gen                   bigint not null default 1,
  leased_gen            bigint not null default 0,
  done_gen              bigint not null default 0,
  lease_no              bigint not null default 0,
  lease_until           timestamptz not null default '-infinity',
  applied_lease_no      bigint not null default 0,
  attempts              integer not null default 0,
  second_look_at        timestamptz,
  notified_at           timestamptz,
  verified_at           timestamptz,
  registry_modified_ms  bigint,
  body_digest           bytea,
  body_access           text,
  held_digest           bytea,
  held_at               timestamptz,
  not_found_at          timestamptz,
  last_error            text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
create index queue_lane_due on orcid_sync.queue (lane, due_at);
comment on table orcid_sync.queue is 'One row per connected iD: when it is to be reconciled next, who is at it, and what was last applied.';
comment on column orcid_sync.queue.orcid is 'The iD, path form.';
comment on column orcid_sync.queue.due_at is 'When the iD is to be reconciled next. Decides only when, never whether anything was forgotten.';
comment on column orcid_sync.queue.lane is 'Who goes first: 0 notification, 1 operator, 2 first load, 3 check, 4 sweep.';
comment on column orcid_sync.queue.gen is 'Bumped by each notification (or request) that is not covered by a reconciliation still to begin.';
comment on column orcid_sync.queue.leased_gen is 'The gen that the present or last lease began with.';
comment on column orcid_sync.queue.done_gen is 'The leased_gen of the last successful reconciliation; gen > done_gen means work is left.';
comment on column orcid_sync.queue.lease_no is 'Fence: counts leases; a worker may write only while this is still its own number.';
comment on column orcid_sync.queue.lease_until is 'Until when the present lease hides the row; past means free.';
comment on column orcid_sync.queue.applied_lease_no is 'The lease whose read was applied last; an older read is never applied over a newer one.';
comment on column orcid_sync.queue.attempts is 'Failed reconciliations in a row; 0 after a success.';
comment on column orcid_sync.queue.second_look_at is 'When the record is read once more after a notification (contract sections 1.8, 3.9); null if no second look is owed.';
comment on column orcid_sync.queue.notified_at is 'When a notification last moved this row (repeats for a row already due are not counted).';
comment on column orcid_sync.queue.verified_at is 'When the mirror was last known to equal the Registry''s answer.';
comment on column orcid_sync.queue.registry_modified_ms is 'history.last-modified-date of the last applied answer, milliseconds since 1970.';
comment on column orcid_sync.queue.body_digest is 'Hash of the last applied answer''s body; an equal body is not even parsed.';
comment on column orcid_sync.queue.body_access is 'The access (read-limited or read-public) with which that body was read.';
comment on column orcid_sync.queue.held_digest is 'Hash of the removals that would empty most of a section and wait for a second, independent read to agree.';
comment on column orcid_sync.queue.held_at is 'When those removals were first seen.';
comment on column orcid_sync.queue.not_found_at is 'When the Registry first said that it does not know this iD; needs a second answer before it counts.';
comment on column orcid_sync.queue.last_error is 'Kind of the last failure, for operators; null after a success. Never contains a token or a record''s content.';

create table orcid_sync.webhooks (
  orcid         orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  key_version   smallint not null,
  state         text not null check (state in ('registering', 'active', 'removing')),
  requested_at  timestamptz not null default now(),
  registered_at timestamptz,
  primary key (orcid, key_version)
);
comment on table orcid_sync.webhooks is 'Every webhook that may exist at ORCID: a row is written before ORCID is told and deleted after it confirmed the removal. ORCID has no list call (contract section 1.1).';
comment on column orcid_sync.webhooks.orcid is 'The iD that the webhook watches.';
comment on column orcid_sync.webhooks.key_version is 'Version of the secret that the callback address was derived from.';
comment on column orcid_sync.webhooks.state is 'registering: the PUT may or may not have arrived; active: ORCID confirmed it; removing: the DELETE may or may not have arrived.';
comment on column orcid_sync.webhooks.requested_at is 'When the present state was entered.';
comment on column orcid_sync.webhooks.registered_at is 'When ORCID confirmed the registration.';

create table orcid_sync.pace (
  client_id    text primary key,
  tat          timestamptz not null default '-infinity',
  rate         double precision not null check (rate > 0),
  slowed_at    timestamptz,
  failures     integer not null default 0,
  paused_until timestamptz not null default '-infinity',
  failing_since timestamptz
);
comment on table orcid_sync.pace is 'One token bucket (GCRA) per ORCID API client, shared by all replicas, with a circuit that pauses them while the Registry is down.';
comment on column orcid_sync.pace.client_id is 'The ORCID API client whose limit this is.';
comment on column orcid_sync.pace.tat is 'Theoretical arrival time of the next request.';
comment on column orcid_sync.pace.rate is 'Requests per second at present; lowered when ORCID answers 429 or 503, raised again with time.';
comment on column orcid_sync.pace.slowed_at is 'When the rate was last lowered; null if it never was.';
comment on column orcid_sync.pace.failures is 'Requests in a row that failed as if the Registry were away.';
comment on column orcid_sync.pace.paused_until is 'No request and no lease before this moment.';
comment on column orcid_sync.pace.failing_since is 'When the present outage of the Registry began; null if it answers.';

create table orcid_sync.runs (
  id          bigint generated always as identity primary key,
  job         text not null,
  started_at  timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  outcome     jsonb,
  error       text
);
create index runs_job_started on orcid_sync.runs (job, started_at desc);
comment on table orcid_sync.runs is 'Runs of the scheduled jobs: the proof that they ran.';
comment on column orcid_sync.runs.id is 'Number of the run.';
comment on column orcid_sync.runs.job is 'Name of the job.';
comment on column orcid_sync.runs.started_at is 'When it began.';
comment on column orcid_sync.runs.finished_at is 'When it ended; null while it runs or if it was killed.';
comment on column orcid_sync.runs.outcome is 'Counts that the job reports.';
comment on column orcid_sync.runs.error is 'Kind of the error that ended the run; null if it succeeded.';

create table orcid_sync.feed_head (
  one   boolean primary key default true check (one),
  epoch uuid not null default gen_random_uuid(),
  last  bigint not null default 0
);
insert into orcid_sync.feed_head default values;
comment on table orcid_sync.feed_head is 'The position of the change feed. Taken last in each applying transaction, so that positions are gap-free and in the order of commits.';
comment on column orcid_sync.feed_head.one is 'Always true: the table has one row.';
comment on column orcid_sync.feed_head.epoch is 'Changes when the feed''s history was lost or rewound; a reader with another epoch must start again.';
comment on column orcid_sync.feed_head.last is 'The last position given out.';
