-- Pushes: who is told of changes by HTTP, how far each has come, and what could not be delivered.
--
-- No message is stored. What is to be sent again is a range of the feed, which is read anew, as its reader may see it at
-- that moment: so nothing of somebody who was erased, and nothing that was hidden meanwhile, waits here for its delivery.

create table orcid_sync.subscriptions (
  id            integer generated always as identity primary key,
  name          text not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  url           text not null,
  origin        text not null,
  view          text not null check (view in ('public', 'limited')),
  sections      text[] not null default '{}',
  operations    text[] not null default '{}',
  organisations text[] not null default '{}',
  external_ids  text[] not null default '{}',
  minor         boolean not null default false,
  contents      boolean not null default true,
  when_dead     text not null default 'pause' check (when_dead in ('pause', 'continue')),
  revision      integer not null default 1,
  created_at    timestamptz not null default now()
);
comment on table orcid_sync.subscriptions is 'Who is told of changes by signed HTTP requests (pushes), and of which.';
comment on column orcid_sync.subscriptions.id is 'Number of the subscription; never given out again.';
comment on column orcid_sync.subscriptions.name is 'What people call it.';
comment on column orcid_sync.subscriptions.url is 'Address that the messages are sent to.';
comment on column orcid_sync.subscriptions.origin is 'Scheme, host and port of that address: what can be down (push_endpoints).';
comment on column orcid_sync.subscriptions.view is 'What is sent: what a member of orcid_reader sees (public), or of orcid_reader_limited.';
comment on column orcid_sync.subscriptions.sections is 'Only changes of these sections, and those of the record itself; empty: all.';
comment on column orcid_sync.subscriptions.operations is 'Only these operations, and always removed and withdrawn; empty: all.';
comment on column orcid_sync.subscriptions.organisations is 'Only items of these organisations, [SOURCE:]identifier; empty: all.';
comment on column orcid_sync.subscriptions.external_ids is 'Only items with such an identifier, type:[prefix]; empty: all.';
comment on column orcid_sync.subscriptions.minor is 'Whether minor changes are wanted, too.';
comment on column orcid_sync.subscriptions.contents is 'Whether messages say what the items said before and after.';
comment on column orcid_sync.subscriptions.when_dead is 'After the last try of a message: pause until somebody resumes, or continue with the next one.';
comment on column orcid_sync.subscriptions.revision is 'Counts edits: part of the messages'' ids, since what they say depends on the above.';
comment on column orcid_sync.subscriptions.created_at is 'When it was added.';

create table orcid_sync.subscription_secrets (
  subscription_id integer not null references orcid_sync.subscriptions on delete cascade,
  number          integer not null,
  secret          text not null,
  ends_at         timestamptz,
  primary key (subscription_id, number)
);
comment on table orcid_sync.subscription_secrets is 'The secrets that sign a subscription''s messages, encrypted (AES-256-GCM, bound to the subscription and the column). Two while one replaces the other.';
comment on column orcid_sync.subscription_secrets.subscription_id is 'The subscription.';
comment on column orcid_sync.subscription_secrets.number is 'Counts its secrets; the highest is the present one.';
comment on column orcid_sync.subscription_secrets.secret is 'Ciphertext of the secret.';
comment on column orcid_sync.subscription_secrets.ends_at is 'Until when a replaced secret goes on signing; null: it is the present one.';

-- A small row that every message rewrites, apart from what people set.
create table orcid_sync.push_progress (
  subscription_id integer primary key references orcid_sync.subscriptions on delete cascade,
  paused          text check (paused in ('by hand', 'dead', 'gone')),
  epoch           uuid not null,
  reached         bigint not null,
  sending_to      bigint,
  last_range      integer not null default 0,
  due_at          timestamptz not null default now(),
  lease_no        bigint not null default 0,
  lease_until     timestamptz not null default '-infinity',
  attempts        integer not null default 0,
  failing_since   timestamptz,
  last_error      text,
  delivered_at    timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
comment on table orcid_sync.push_progress is 'How far each subscription has come. One message of a subscription is under way at a time, so that all arrive in the order of the feed.';
comment on column orcid_sync.push_progress.subscription_id is 'The subscription.';
comment on column orcid_sync.push_progress.paused is 'Why nothing is sent: by hand, dead (a message failed for days), gone (the receiver said 410). Null: it is.';
comment on column orcid_sync.push_progress.epoch is 'Epoch of the feed that reached belongs to; if the feed has another one, the receiver is told to start again.';
comment on column orcid_sync.push_progress.reached is 'Position up to which everything was delivered, was not wanted, or waits in push_ranges.';
comment on column orcid_sync.push_progress.sending_to is 'End of the message that was begun and is not delivered yet: each try says the same under the same id.';
comment on column orcid_sync.push_progress.last_range is 'Number of its last range, also of one that is gone: the number stands in the id of each message, and who has seen an id may ignore it.';
comment on column orcid_sync.push_progress.due_at is 'When the next try is due.';
comment on column orcid_sync.push_progress.lease_no is 'Fence: counts leases; only the holder of the newest may write.';
comment on column orcid_sync.push_progress.lease_until is 'Until when somebody is at it; past means free.';
comment on column orcid_sync.push_progress.attempts is 'Failed tries of the present message; 0 after a success.';
comment on column orcid_sync.push_progress.failing_since is 'When the first of them failed.';
comment on column orcid_sync.push_progress.last_error is 'Kind of the last failure; never what the receiver said.';
comment on column orcid_sync.push_progress.delivered_at is 'When a message was last delivered; null: never.';

create table orcid_sync.push_ranges (
  subscription_id integer not null references orcid_sync.subscriptions on delete cascade,
  number          integer not null,
  state           text not null check (state in ('dead', 'replaying')),
  from_seq        bigint not null,
  to_seq          bigint not null,
  reached         bigint not null,
  sending_to      bigint,
  error           text,
  at              timestamptz not null default now(),
  primary key (subscription_id, number)
);
comment on table orcid_sync.push_ranges is 'Parts of the feed to be sent apart from the rest: messages that failed for days (dead letters), and what somebody wants to be sent again. Gone when delivered.';
comment on column orcid_sync.push_ranges.subscription_id is 'The subscription.';
comment on column orcid_sync.push_ranges.number is 'Counts its ranges; never used again.';
comment on column orcid_sync.push_ranges.state is 'dead: waits for somebody; replaying: sent before anything else of the subscription.';
comment on column orcid_sync.push_ranges.from_seq is 'First position.';
comment on column orcid_sync.push_ranges.to_seq is 'Last position.';
comment on column orcid_sync.push_ranges.reached is 'Position up to which it was sent again.';
comment on column orcid_sync.push_ranges.sending_to is 'End of the message that was begun and is not delivered yet.';
comment on column orcid_sync.push_ranges.error is 'Why it is dead.';
comment on column orcid_sync.push_ranges.at is 'When it died, or was asked for.';

create table orcid_sync.push_endpoints (
  origin        text primary key,
  failures      integer not null,
  failing_since timestamptz not null default now(),
  paused_until  timestamptz not null default '-infinity'
);
comment on table orcid_sync.push_endpoints is 'Receivers that do not answer, shared by all replicas: a circuit for each scheme, host and port. No row: it answers.';
comment on column orcid_sync.push_endpoints.origin is 'Scheme, host and port.';
comment on column orcid_sync.push_endpoints.failures is 'Messages in a row, of whatever subscription, that it did not take as a server does that is up.';
comment on column orcid_sync.push_endpoints.failing_since is 'Since when.';
comment on column orcid_sync.push_endpoints.paused_until is 'No message before; then one alone tries.';
