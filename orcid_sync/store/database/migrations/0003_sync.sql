-- The loop: every connected iD is one row with a due_at. What it takes to make that row right, and what came of it.

-- Counters (gen, leased_gen, done_gen, lease_no) decide what is right; due_at only decides when. A small row, kept small:
-- it is the only one that an unchanged record rewrites, and no index hinders a lease or a mark from rewriting it in place.
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
  unconfirmed_at        timestamptz,
  last_error            text,
  unconfirmed           text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
create index queue_lane_due on orcid_sync.queue (lane, due_at);
-- What is rare is in a partial index, and what is usual is what remains: the whole at a glance at 100,000 iDs.
create index queue_failing on orcid_sync.queue (last_error) where attempts > 0;
create index queue_never_verified on orcid_sync.queue (orcid) where verified_at is null;
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
comment on column orcid_sync.queue.body_access is 'The access with which that body, and so what the mirror holds, was read: read-limited or read-public, and the parts of the record of which it showed more than what is public, or should have: those are marked as not seen.';
comment on column orcid_sync.queue.unconfirmed_at is 'When the state in unconfirmed was first told; it counts when it is told again long enough after.';
comment on column orcid_sync.queue.last_error is 'Kind of the last failure, for operators; null after a success. Never contains a token or a record''s content.';
comment on column orcid_sync.queue.unconfirmed is 'The state that the Registry told and that must be told again before anything is forgotten: not-found, deactivated or deprecated.';

-- What the last answer left in doubt: rare, so that a table of its own costs nothing where all is well.
create table orcid_sync.doubts (
  orcid       orcid_sync.orcid_id not null references orcid_sync.queue on delete cascade,
  kind        text not null check (kind in ('section', 'item', 'full-form', 'removal', 'shown', 'older')),
  section     text not null,
  key         text not null default '',
  reason      text not null,
  since       timestamptz not null,
  attempts    integer not null default 1,
  due_at      timestamptz,
  modified_ms bigint,
  doc         text,
  may_be      text[] not null default '{}',
  released    boolean not null default false,
  primary key (orcid, kind, section, key)
);
create index doubts_kinds on orcid_sync.doubts (kind, since);
comment on table orcid_sync.doubts is 'What the last answer about an iD left in doubt: kept in the mirror as it was, and looked at again by itself. A row goes with the read that ends the doubt. For the owner only: it may quote what readers must not see.';
comment on column orcid_sync.doubts.orcid is 'The iD, path form.';
comment on column orcid_sync.doubts.kind is 'section: the answer did not speak of it; item: a part of a section that cannot be understood was set aside; full-form: the full form of an item could not be read, or is of another edit than its summary; removal: an item is gone; shown: an item is shown to more people than before, or again; older: an item is of an older edit than the one known. The last three count when an independent second read says them again.';
comment on column orcid_sync.doubts.section is 'The section, as in the change feed.';
comment on column orcid_sync.doubts.key is 'The item''s key, as in the change feed; of a part set aside a hash of it; of a section empty.';
comment on column orcid_sync.doubts.reason is 'Why, in words; quotes nothing of the record.';
comment on column orcid_sync.doubts.since is 'The beginning of the read that met it first.';
comment on column orcid_sync.doubts.attempts is 'How many reads tried in vain to end it.';
comment on column orcid_sync.doubts.due_at is 'When the record is read again because of it; null: with the next regular look.';
comment on column orcid_sync.doubts.modified_ms is 'Of a full form: last-modified date of the summary that it should belong to, milliseconds since 1970.';
comment on column orcid_sync.doubts.doc is 'Of a part set aside: as ORCID gave it.';
comment on column orcid_sync.doubts.may_be is 'Of a part set aside: keys of items that were missing when it first came. It may be one of them, so they are not taken for removed.';
comment on column orcid_sync.doubts.released is 'An operator has agreed: it counts when the next read says the same, however soon that is.';

-- Of all this, readers may know which sections were left out: these rows, and of them these columns (grant_readers()).
alter table orcid_sync.doubts enable row level security;
create policy visible on orcid_sync.doubts for select to public using (kind = 'section');

create function orcid.sections_left_out(orcid text) returns text[]
  language sql stable parallel safe
begin atomic
  select array(
    select d.section from orcid_sync.doubts d
     where d.orcid = sections_left_out.orcid and d.kind = 'section' order by d.section);
end;
comment on function orcid.sections_left_out is 'The sections that ORCID''s last answer about an iD did not speak of; mostly none. For the owner and the roles of readers.';

create view orcid.freshness with (security_invoker = true) as
  select q.orcid, c.state, q.verified_at, q.due_at, q.attempts, q.last_error, now() - q.verified_at as age,
         orcid.sections_left_out(q.orcid) as sections_left_out
    from orcid_sync.queue q join orcid_sync.connections c using (orcid);
comment on view orcid.freshness is 'When each mirrored record was last known to equal ORCID''s, and when it is looked at next.';
comment on column orcid.freshness.orcid is 'The iD.';
comment on column orcid.freshness.state is 'State of the connection.';
comment on column orcid.freshness.verified_at is 'When the mirror was last known to equal the Registry''s answer; null before the first load.';
comment on column orcid.freshness.due_at is 'When it is looked at next, unless a notification comes first.';
comment on column orcid.freshness.attempts is 'Failed attempts in a row.';
comment on column orcid.freshness.last_error is 'Kind of the last failure.';
comment on column orcid.freshness.age is 'Time since it was last verified.';
comment on column orcid.freshness.sections_left_out is 'Sections that ORCID''s last answer did not speak of: they stay as they were before it, and are not verified. Mostly empty.';

create table orcid_sync.reads (
  orcid    orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  lease_no bigint not null,
  first_at timestamptz not null default now(),
  at       timestamptz not null default now(),
  times    integer not null default 1 check (times > 0),
  cause    text not null,
  outcome  text not null,
  error    text,
  changes  jsonb,
  primary key (orcid, lease_no)
);
comment on table orcid_sync.reads is 'The last reconciliations of each iD that found or failed at something, 20 at most; what found nothing new is not written (queue.verified_at knows the last). For people who ask why (orcid-sync explain); nothing depends on it.';
comment on column orcid_sync.reads.orcid is 'The iD.';
comment on column orcid_sync.reads.lease_no is 'Number of the lease under which it was done; the first one, if the same happened again.';
comment on column orcid_sync.reads.first_at is 'When it happened first.';
comment on column orcid_sync.reads.at is 'When it happened last.';
comment on column orcid_sync.reads.times is 'How often it happened without anything else in between but reads that found nothing new.';
comment on column orcid_sync.reads.cause is 'What led to it, as in the change feed.';
comment on column orcid_sync.reads.outcome is 'How it ended, in the word of the log: changed, held, failed, unconfirmed, suspect, locked, …';
comment on column orcid_sync.reads.error is 'What it failed at, as queue.last_error says it: never a token or a record''s content.';
comment on column orcid_sync.reads.changes is 'Numbers of changes by operation; null if there were none.';

-- ---------------------------------------------------------------------------------------------------------------------
-- The pace: one governor for all replicas, with shares for the lanes, the Registry's wish for silence apart from the
-- circuit, and a daily budget. All in the row that every request writes anyway, so that it stays one statement.

create table orcid_sync.pace (
  client_id      text primary key,
  tat            timestamptz not null default '-infinity',
  rate           double precision not null check (rate > 0),
  slowed_at      timestamptz,
  failures       integer not null default 0,
  crowded        integer not null default 0,
  failing_ids    bigint[] not null default '{}',
  failing_since  timestamptz,
  doubted        boolean not null default false,
  away           boolean not null default false,
  probes         integer not null default 0,
  paused_until   timestamptz not null default '-infinity',
  window_at      timestamptz,
  window_used    bigint not null default 0,
  window_refused double precision not null default 0,
  sent_before    double precision not null default 0,
  refused_before double precision not null default 0,
  ceiling        double precision check (ceiling > 0),
  lane_tats      timestamptz[] not null default array_fill('-infinity'::timestamptz, array[5]),
  silent_until   timestamptz not null default '-infinity',
  day            date,
  used           bigint not null default 0,
  daily_requests bigint check (daily_requests > 0),
  used_up_until  timestamptz not null default '-infinity'
);
comment on table orcid_sync.pace is 'One token bucket (GCRA) per ORCID API client, shared by all replicas and divided among the lanes, with a circuit that pauses them while the Registry is down and a daily budget.';
comment on column orcid_sync.pace.client_id is 'The ORCID API client whose limit this is.';
comment on column orcid_sync.pace.tat is 'Theoretical arrival time of the next request.';
comment on column orcid_sync.pace.rate is 'Requests per second to which a limit of ORCID''s last lowered the pace (slowed_at); the present ones are present_rate().';
comment on column orcid_sync.pace.slowed_at is 'When the rate was last lowered; null if it never was.';
comment on column orcid_sync.pace.failures is 'Requests in a row, of all replicas, to which ORCID gave no usable answer.';
comment on column orcid_sync.pace.crowded is '503 among these failures; if an answer follows, they were a limit''s.';
comment on column orcid_sync.pace.failing_ids is 'Whom these failures concern, as numbers made of their iDs; not more than raise a doubt.';
comment on column orcid_sync.pace.failing_since is 'When the first of these failures was; null if there is none.';
comment on column orcid_sync.pace.doubted is 'The circuit is open: so much failed in a row that ORCID may be away, and it is asked a fixed question that concerns no record.';
comment on column orcid_sync.pace.away is 'ORCID did not answer the fixed question either.';
comment on column orcid_sync.pace.probes is 'How often the fixed question was asked during this doubt; each counts as failed until it is answered.';
comment on column orcid_sync.pace.paused_until is 'The circuit: no request and no lease before this moment, then the fixed question.';
comment on column orcid_sync.pace.window_at is 'When the stretch of time began in which the share of 503 is counted; null if none was ever heard.';
comment on column orcid_sync.pace.window_used is 'What used was at that moment.';
comment on column orcid_sync.pace.window_refused is '503 of that stretch that an answer followed.';
comment on column orcid_sync.pace.sent_before is 'Requests of the stretch before, as many as make one stretch.';
comment on column orcid_sync.pace.refused_before is '503 of the stretch before, in the same proportion.';
comment on column orcid_sync.pace.ceiling is 'Requests per second that the settings allow, as of the last request; null before the first one.';
comment on column orcid_sync.pace.lane_tats is 'By lane (notification, operator, first load, check, sweep): the moment up to which the lane has used its share.';
comment on column orcid_sync.pace.silent_until is 'No request and no lease before this moment: ORCID asked for silence (Retry-After).';
comment on column orcid_sync.pace.day is 'The day (UTC) of which used counts the requests.';
comment on column orcid_sync.pace.used is 'Requests of that day.';
comment on column orcid_sync.pace.daily_requests is 'Requests per day that the settings allow, as of the last request; null: no bound.';
comment on column orcid_sync.pace.used_up_until is 'ORCID said that the day''s quota is used up: not asked again before this moment.';

create function orcid_sync.present_rate(ceiling double precision, rate double precision, slowed_at timestamptz, at timestamptz)
  returns double precision
  language sql immutable parallel safe
  return least(ceiling, case when slowed_at is null then ceiling else
    rate * (ceiling / rate) ^ (least(1, abs(extract(epoch from at - slowed_at)) / 60) ^ 2) end)::double precision;
comment on function orcid_sync.present_rate is 'Requests per second at a moment: the ceiling, or since a slow-down the lowered rate, which grows by a factor: slowly at first, where the limit is, and to the ceiling within a minute.';

create function orcid_sync.circuit_pause(probes integer) returns interval
  language sql immutable parallel safe
  return case when probes < 1 then interval '0'
    else least(interval '45 seconds', interval '5 seconds' * 2 ^ least(probes - 1, 10)) end;
comment on function orcid_sync.circuit_pause is 'How long the circuit stays open after the fixed question was asked so many times in vain: 5 s after the first, twice as long after each further one, at most 45 s: within a minute of its end an outage is over for us, too.';

create function orcid_sync.not_past(moment timestamptz, at timestamptz, bound interval) returns timestamptz
  language sql immutable parallel safe
  return case when moment > at and moment <= at + bound then moment else at end;
comment on function orcid_sync.not_past is 'The moment if it is still to come, else at. One further ahead than the bound is of a clock that was set back since, and counts as past: otherwise everything would stand still for as long as it was set back.';

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

-- ---------------------------------------------------------------------------------------------------------------------
-- The schedule: what ran, how far the nets have looked for changes, and how right the mirror was found to be.

create table orcid_sync.runs (
  id          bigint generated always as identity primary key,
  job         text not null,
  started_at  timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  outcome     jsonb,
  error       text
);
create index runs_job_started on orcid_sync.runs (job, started_at desc);
comment on table orcid_sync.runs is 'Runs of the scheduled jobs, and loads from files (bootstrap): the proof that they ran.';
comment on column orcid_sync.runs.id is 'Number of the run.';
comment on column orcid_sync.runs.job is 'Name of the job.';
comment on column orcid_sync.runs.started_at is 'When it began.';
comment on column orcid_sync.runs.finished_at is 'When it ended; null while it runs or if it was killed.';
comment on column orcid_sync.runs.outcome is 'Counts that the job reports; of a load, also how many files of which archive are dealt with, from where it goes on if it was interrupted.';
comment on column orcid_sync.runs.error is 'Kind of the error that ended the run; null if it succeeded.';

-- Ways of noticing changes without asking for every record. Each knows how far it has looked.
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

-- How much of the mirror equalled ORCID when a random sample was read anew.
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
comment on column orcid_sync.audits.verdicts is 'Numbers by verdict: identical, pending, newer, drifted, partly, unreadable, failed.';
comment on column orcid_sync.audits.share is 'Share of the identical ones among those that ORCID gave whole (all but partly and unreadable); null if it gave none.';
comment on column orcid_sync.audits.low is 'Lower end of its 95 % confidence interval (Wilson).';
comment on column orcid_sync.audits.high is 'Upper end of that interval.';
comment on column orcid_sync.audits.findings is 'Of each record that was not identical: the iD, the verdict, numbers of differences by section and kind, dates, and in words why it could not be read or compared. Never a content.';

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
